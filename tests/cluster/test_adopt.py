"""`delivery adopt` and `release-control` on a real API server: what they find, and that they change nothing."""

import json

import pytest
import yaml
from kubernetes.client.exceptions import ApiException

from delivery.adapters.kube import marks
from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import ISTIO, path
from delivery.adapters.mesh.istio import guards, tags
from delivery.adapters.mesh.istio.adapter import IstioMesh
from delivery.adapters.mesh.istio.proof import Proof
from delivery.cli.adopt import Access, looked_at
from delivery.cli.main import run
from delivery.model.finding import Weight
from delivery.model.ids import ReleaseId, target_id
from delivery.model.traffic import ALL_STABLE
from delivery.model.version import Backend
from delivery.ports.mesh import Route, Stamp
from delivery.wiring import parse
from tests.cluster.shop import NAME, OLD, Shop
from tests.cluster.testbed.cluster import GATEWAY, Cluster

KINDS = (
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    (ISTIO, "VirtualService"),
    (ISTIO, "DestinationRule"),
)


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> Shop:
    made = Shop(cluster, namespace)
    made.deploy(2)
    return made


def route(shop: Shop, name: str = "checkout-public", gateways=(GATEWAY,), **spec) -> dict:
    where = f"checkout.{shop.namespace}.svc.cluster.local"
    return {
        "apiVersion": ISTIO,
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": shop.namespace},
        "spec": {
            "hosts": [f"{shop.namespace}.example.com"],
            "gateways": list(gateways),
            "http": [{"name": "web", "route": [{"destination": {"host": where}}]}],
            **spec,
        },
    }


def stored(shop: Shop) -> dict:
    """Everything that could have been changed, as it is stored."""
    found = {}
    for version, kind in KINDS:
        for one in shop.kube.get(path(version, kind, shop.namespace))["items"]:
            found[(kind, one["metadata"]["name"])] = (one["metadata"]["uid"], one.get("spec"))
    return found


def ask(shop: Shop, capsys, *words: str) -> tuple[int, str, str]:
    code = run([*words, "-n", shop.namespace, "--kubeconfig", str(shop.cluster.kubeconfig)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def adopted(shop: Shop, capsys, *words: str) -> tuple[int, dict]:
    code, out, err = ask(shop, capsys, "adopt", "deploy/checkout", "-o", "json", *words)
    assert out, err
    return code, json.loads(out)


def told(found: dict, weight: str) -> list[str]:
    return [f"{one['subject']}: {one['text']}" for one in found["findings"] if one["weight"] == weight]


def test_a_charts_deployment_becomes_a_service_file_and_nothing_is_changed(shop, capsys, tmp_path) -> None:
    shop.cluster.api.create(route(shop))
    before = stored(shop)
    file = tmp_path / "checkout.yaml"
    code, found = adopted(shop, capsys, "--cluster", "prod-eu", "--write", str(file))
    assert (code, told(found, "blocks"), told(found, "leaks")) == (0, [], [])
    assert stored(shop) == before
    document = yaml.safe_load(file.read_text())
    assert document == {
        "service": "checkout",
        "cluster": "prod-eu",
        "namespace": shop.namespace,
        "workload": {"deployment": "checkout"},
    }
    place = parse(document).workload_in("prod-eu").place
    assert place == shop.place


def test_the_diff_is_what_the_first_stage_writes(shop, capsys) -> None:
    shop.cluster.api.create(route(shop))
    _, found = adopted(shop, capsys)
    (change,) = found["changes"]
    added = [line[1:].strip() for line in change.splitlines() if line.startswith("+")]
    assert "weight: 5" in added
    assert "weight: 95" in added
    assert any(line.startswith("host: checkout-next-") for line in added)
    assert not [line for line in change.splitlines() if line.startswith("-") and "resourceVersion" in line]
    kinds = [yaml.safe_load(text)["kind"] for text in found["makes"]]
    assert kinds == ["Service", "Deployment"]
    for text in found["makes"]:
        shop.kube.create(yaml.safe_load(text), dry_run=True)


def test_what_blocks_comes_with_the_yaml_that_mends_it(shop, capsys) -> None:
    code, found = adopted(shop, capsys)
    assert code == 1
    (blocked,) = [one for one in found["findings"] if one["weight"] == "blocks" and one["remedy"]]
    assert "no VirtualService" in blocked["text"]
    shop.kube.create(yaml.safe_load(blocked["remedy"]))
    code, found = adopted(shop, capsys)
    assert (code, told(found, "blocks")) == (0, [])


def test_every_other_path_is_named(shop, capsys) -> None:
    shop.cluster.api.create(route(shop))
    elsewhere = f"{shop.namespace}-callers"
    shop.cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": elsewhere}})
    other = route(shop, "theirs", ["mesh"])
    other["metadata"]["namespace"] = elsewhere
    shop.cluster.api.create(other)
    try:
        _, found = adopted(shop, capsys)
    finally:
        shop.cluster.api.delete(f"/api/v1/namespaces/{elsewhere}")
    assert [line for line in told(found, "warns") if line.startswith(f"VirtualService {elsewhere}/theirs")]
    assert any("callers inside the cluster read no rule" in line for line in told(found, "says"))


def test_a_policy_that_means_stable_alone_is_a_leak_with_its_remedy(shop, capsys) -> None:
    shop.cluster.api.create(route(shop))
    policy = {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "only-web", "namespace": shop.namespace},
        "spec": {"selector": {"matchLabels": {"app.kubernetes.io/name": "checkout"}}, "rules": [{}]},
    }
    shop.kube.create(policy)
    _, found = adopted(shop, capsys)
    assert [line for line in told(found, "leaks") if "only-web" in line and "who may call it" in line]


def test_git_that_owns_it_is_told_and_only_watching_is_proposed(shop, capsys) -> None:
    shop.cluster.api.create(route(shop))
    tracked = {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/checkout"}}}
    shop.cluster.api.patch(path("apps/v1", "Deployment", shop.namespace, NAME), tracked)
    code, found = adopted(shop, capsys)
    assert code == 0
    assert yaml.safe_load(found["service_file"])["workload"]["mode"] == "observe"
    assert any("git owns it" in line for line in told(found, "warns"))


def test_what_is_not_there_is_said_with_what_to_do(shop, capsys) -> None:
    code, _, err = ask(shop, capsys, "adopt", "deploy/nothing")
    assert (code, "there is no Deployment" in err, "nothing was changed" in err) == (1, True, True)
    code, _, err = ask(shop, capsys, "adopt", "statefulset/checkout")
    assert (code, "statefulset cannot be released" in err) == (1, True)


def test_people_read_the_worst_first(shop, capsys) -> None:
    code, out, _ = ask(shop, capsys, "adopt", "deploy/checkout")
    lines = out.splitlines()
    assert code == 1
    assert lines[0].startswith("BLOCKS")
    assert lines[-1] == "nothing was changed"
    assert any(line.strip() == "deployment: checkout" or "{deployment: checkout}" in line for line in lines)


def test_leaving_shows_what_stays_and_the_routes_without_us(shop, capsys, cluster: Cluster) -> None:
    body = route(shop)
    shop.cluster.api.create(body)
    code, out, _ = ask(shop, capsys, "release-control", "checkout")
    assert (code, out.strip()) == (0, f"nothing of ours is in {shop.namespace} for checkout")

    mesh = istio(shop)
    target = target_id("checkout", "local")
    home = Backend("checkout", OLD, home=True)
    mesh.write(
        Route(target, "checkout", home, None, ALL_STABLE),
        Stamp(1, ReleaseId("rel_1"), 1, 1, "h"),
        mesh.read(target).revision,
    )
    mesh.close()
    metadata = {
        "name": "limits",
        "namespace": shop.namespace,
        "labels": marks.labels("x"),
        "annotations": {marks.TARGET: target},
    }
    for version, kind in ((guards.VERSIONS[guards.LIMIT], guards.LIMIT), (tags.VERSION, tags.KIND)):
        shop.cluster.api.create({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {}})
    _, out, _ = ask(shop, capsys, "release-control", "checkout", "-o", "json")
    assert [line.rpartition(" ")[2] for line in json.loads(out)["commands"]] == [
        "envoyfilter/limits",
        "telemetry/limits",
    ]
    (text,) = json.loads(out)["routes"]
    cleaned = yaml.safe_load(text)
    assert cleaned["spec"] == body["spec"]
    shop.kube.patch(path(ISTIO, "VirtualService", shop.namespace, "checkout-public"), {"spec": cleaned["spec"]})


def istio(shop: Shop) -> IstioMesh:
    return IstioMesh("local", Kube(str(shop.cluster.kubeconfig)), lambda _: shop.place, Proof({}, None))


def test_a_file_that_is_there_is_held_against_the_cluster(shop, tmp_path) -> None:
    file = tmp_path / "checkout.yaml"
    place = {"namespace": shop.namespace, "workload": {"deployment": "checkout"}}
    file.write_text(yaml.safe_dump({"service": "checkout", "cluster": "prod-eu", **place}))
    access = Access(kubeconfig=str(shop.cluster.kubeconfig))
    assert looked_at(file.read_text(), str(file), access)[0].weight is Weight.BLOCKS
    shop.cluster.api.create(route(shop))
    assert not [one for one in looked_at(file.read_text(), str(file), access) if one.weight is Weight.BLOCKS]


def test_the_api_server_itself_refuses_what_blocks(shop) -> None:
    """The remedy's check above means something only if a broken one would be refused."""
    broken = route(shop)
    broken["spec"]["http"][0]["redirect"] = {"uri": "/elsewhere"}
    with pytest.raises(ApiException):
        shop.cluster.api.create(broken, dryRun="All")
