"""The Helm chart against a real API server: it takes every object, and the rights are those that a release needs.

Nothing is run in it here: there is no container engine.
"""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client.exceptions import ApiException

from delivery.adapters.kube.client import Kube
from delivery.adoption import rights
from delivery.model.place import Isolation, Mode, Place
from delivery.settings import parse
from tests.cluster.testbed import accounts
from tests.cluster.testbed.api import place
from tests.cluster.testbed.cluster import Cluster
from tests.unit.test_rights import WIDEST
from tools import chart, previous

EVERYTHING = (
    "rbac.namespaces.shop=clone",
    "rbac.namespaces.payments=route",
    "rbac.namespaces.search=observe",
    "image.digest=sha256:abc",
    "rbac.hooks=true",
    "imagePullSecrets[0].name=pull",
    "api.ingress.enabled=true",
    "api.ingress.tls=certificate",
    "api.ingress.className=public",
    "api.nodeSelector.disk=ssd",
    "api.service.annotations.team=release",
    "workers.eu.clusters={main}",
    "workers.eu.replicas=1",
    "workers.eu.volumes[0].name=kube",
    "workers.eu.volumes[0].secret.secretName=kubeconfig",
    "workers.eu.volumeMounts[0].name=kube",
    "workers.eu.volumeMounts[0].mountPath=/etc/kube",
    "networkPolicy.from[0].namespaceSelector.matchLabels.name=ingress",
    "migration.env[0].name=DELIVERY_DATABASE_URL",
    "migration.env[0].value=postgresql+psycopg://owner@db/delivery",
)
INSTANCE = "delivery"
MONITORED = (
    "monitoring.serviceMonitor.enabled=true",
    "monitoring.rules.enabled=true",
    "monitoring.dashboard.enabled=true",
)


def documents(namespace: str, *sets: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(chart.rendered(namespace, *sets)) if one]


def kinds(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one for one in found if one["kind"] == kind]


@pytest.mark.parametrize("sets", [(), EVERYTHING, MONITORED], ids=["defaults", "everything", "monitored"])
def test_lint_has_nothing_to_say(sets: tuple[str, ...]) -> None:
    flags = [word for one in sets for word in ("--set", one)]
    assert "0 chart(s) failed" in chart.helm("lint", "--strict", str(chart.CHART), *flags)


@pytest.mark.parametrize("sets", [(), EVERYTHING], ids=["defaults", "everything"])
def test_the_api_server_takes_every_object_and_knows_every_field(
    cluster: Cluster, namespace: str, sets: tuple[str, ...]
) -> None:
    for body in documents(namespace, *sets):
        body["metadata"] = {**body["metadata"], **({"namespace": namespace} if "namespace" in body["metadata"] else {})}
        try:
            cluster.api.create(body, dryRun="All", fieldValidation="Strict")
        except ApiException as error:
            pytest.fail(f"{place(body)} {body['metadata']['name']}: {error.body}")


def test_pods_meet_the_restricted_standard(cluster: Cluster, namespace: str) -> None:
    """The API server's own admission says so, for a namespace that enforces it."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})
    for account in kinds(documents(namespace), "ServiceAccount"):
        cluster.api.create(account)
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pod", "namespace": namespace},
            "spec": template["spec"],
        }
        for body in documents(namespace, *EVERYTHING)
        if (template := body.get("spec", {}).get("template"))
    ]
    assert len(pods) == 4
    for pod in pods:
        cluster.api.create(pod, dryRun="All")
    del pods[0]["spec"]["securityContext"]["runAsNonRoot"]
    with pytest.raises(ApiException, match="restricted"):
        cluster.api.create(pods[0], dryRun="All")


def test_the_configuration_that_it_ships_can_be_used() -> None:
    (config,) = kinds(documents("delivery"), "ConfigMap")
    document = tomllib.loads(config["data"]["delivery.toml"])
    environ = {"DELIVERY_DATABASE_URL": "postgresql+psycopg://db/delivery", "DELIVERY_BROKER_URL": "redis://redis/0"}
    assert set(parse(document, environ).clusters) == {"main"}


def test_a_change_of_the_configuration_starts_new_pods_and_another_migration() -> None:
    def found(*sets: str) -> tuple[set[str], set[str]]:
        made = documents("delivery", *sets)
        sums = {
            one["spec"]["template"]["metadata"]["annotations"]["checksum/config"] for one in kinds(made, "Deployment")
        }
        return sums, {one["metadata"]["name"] for one in kinds(made, "Job")}

    before, after = found(), found("config=# other")
    assert len(before[0]) == len(after[0]) == len(before[1]) == 1
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert found("image.tag=2.0.0")[1] != before[1]


@pytest.mark.parametrize(
    "sets",
    [
        "imagePullSecrets[0].name=pull",
        "image.pullPolicy=Always",
        "migration.resources.limits.memory=1Gi",
        "secret=other",
        "image.tag=2.0.0",
        "migration.env[0].name=A",
    ],
)
def test_a_migration_whose_pods_change_is_another_job(sets: str) -> None:
    """A Job cannot be changed: the upgrade would be refused, say where a secret to pull by was forgotten."""
    (before,), (after,) = kinds(documents("delivery"), "Job"), kinds(documents("delivery", sets), "Job")
    assert before["spec"] != after["spec"]
    assert before["metadata"]["name"] != after["metadata"]["name"]
    assert len(after["metadata"]["name"]) <= 63


def test_what_waits_for_the_schema_has_what_its_container_has() -> None:
    """It reads the whole configuration, with every variable and file that this names."""
    sets = ("env[0].name=DELIVERY_DATABASE_URL", "env[0].value=x", *EVERYTHING)
    for one in kinds(documents("delivery", *sets), "Deployment"):
        spec = one["spec"]["template"]["spec"]
        (waits,), (works,) = spec["initContainers"], spec["containers"]
        assert waits["volumeMounts"] == works["volumeMounts"]
        assert {"name": "DELIVERY_DATABASE_URL", "value": "x"} in waits["env"]


@pytest.mark.parametrize(
    ("sets", "replicas"), [((), 2), (("workers.main.replicas=0",), 0), (("workers.main.replicas=3",), 3)]
)
def test_workers_can_be_switched_off(sets: tuple[str, ...], replicas: int) -> None:
    """As for a restored database."""
    workers = [one for one in kinds(documents("delivery", *sets), "Deployment") if "worker" in one["metadata"]["name"]]
    assert [one["spec"]["replicas"] for one in workers] == [replicas]


def test_two_releases_of_it_share_no_object() -> None:
    """In two namespaces, over the same gateways and services: neither may take the other's rights."""
    sets = "rbac.namespaces.shop=clone"

    def named(namespace: str) -> set[tuple[str, str, str]]:
        return {
            (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"])
            for one in documents(namespace, sets)
        }

    assert named("delivery") & named("staging") == set()


def test_what_api_and_workers_share_reaches_both_and_no_migration() -> None:
    name = "OTEL_EXPORTER_OTLP_ENDPOINT"
    made = documents(
        "delivery", f"env[0].name={name}", "env[0].value=http://collector:4318", "workers.eu.clusters={main}"
    )
    found = {
        one["metadata"]["labels"]["app.kubernetes.io/component"]: [own["name"] for own in container.get("env", [])]
        for one in (*kinds(made, "Deployment"), *kinds(made, "Job"))
        for container in one["spec"]["template"]["spec"]["containers"]
    }
    assert {part for part, names in found.items() if name in names} == set(found) - {"migration"}
    assert "DELIVERY_CLUSTERS" in found["worker-eu"]


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(chart.Refused, match=r"rbac\.namespaces\.shop.*observe, route, clone"):
        documents("delivery", "rbac.namespaces.shop=admin")


def test_the_plain_manifests_are_the_rendered_chart() -> None:
    """`make manifests` renders them anew."""
    assert chart.MANIFESTS.read_text() == chart.manifests()


def test_rules_and_dashboard_come_with_it() -> None:
    made = documents("delivery", *MONITORED)
    (rules,) = kinds(made, "PrometheusRule")
    assert rules["spec"] == yaml.safe_load((chart.CHART / "files" / "alerts.yaml").read_text())
    board = next(one for one in kinds(made, "ConfigMap") if "delivery.json" in one["data"])
    assert json.loads(board["data"]["delivery.json"])["title"] == "Progressive delivery"


@pytest.fixture
def installed(cluster: Cluster, namespace: str) -> Iterator[None]:
    """Nothing of the cluster's own stays behind."""
    yield
    for kind in ("clusterrolebindings", "clusterroles"):
        cluster.api.delete(f"/apis/rbac.authorization.k8s.io/v1/{kind}/{namespace}-delivery-worker")
    for kind in ("rolebindings", "roles"):
        where = f"/apis/rbac.authorization.k8s.io/v1/namespaces/istio-system/{kind}"
        cluster.api.delete(f"{where}/{namespace}-delivery-worker-mesh")


@pytest.mark.parametrize(
    ("profile", "mode"), [("observe", Mode.OBSERVE), ("route", Mode.VERSIONED), ("clone", Mode.CLONE)]
)
@pytest.mark.usefixtures("installed")
def test_a_profile_has_the_rights_that_its_mode_needs(
    cluster: Cluster, namespace: str, tmp_path: Path, profile: str, mode: Mode
) -> None:
    def asked(mode: Mode, isolation: Isolation) -> Place:
        track = ("configmap/shop", "secret/shop")
        return Place(namespace, "shop", "shop", mode, isolation, candidate="shop-{version}", track=track)

    tracked = "rbac.tracked={configmaps,secrets}"
    for body in documents(namespace, f"rbac.namespaces.{namespace}={profile}", tracked):
        if "rbac" in body["apiVersion"] or body["kind"] == "ServiceAccount":
            cluster.api.create(body)
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": accounts.token(cluster.api, namespace, "delivery-worker")}
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    kube = Kube(str(tmp_path / "kubeconfig"))
    try:
        for isolation in Isolation:
            assert list(rights.findings(kube, asked(mode, isolation), WIDEST)) == []
        if wider := {"observe": Mode.VERSIONED, "route": Mode.CLONE}.get(profile):
            assert rights.findings(kube, asked(wider, Isolation.SERVICE), WIDEST)
    finally:
        kube.close()


def stored(cluster: Cluster, namespace: str) -> set[tuple[str, str]]:
    """What the chart has in its own namespace and beside it: the kind of each object, and its name."""
    rbac, listed = "/apis/rbac.authorization.k8s.io/v1", {"labelSelector": f"app.kubernetes.io/instance={INSTANCE}"}
    own = {
        "/api/v1": ("services", "serviceaccounts", "configmaps"),
        "/apis/apps/v1": ("deployments",),
        "/apis/batch/v1": ("jobs",),
        "/apis/policy/v1": ("poddisruptionbudgets",),
        "/apis/networking.k8s.io/v1": ("networkpolicies",),
        rbac: ("roles", "rolebindings"),
    }
    paths = [f"{api}/namespaces/{namespace}/{kind}" for api, kinds in own.items() for kind in kinds]
    paths += [f"{rbac}/{kind}" for kind in ("clusterroles", "clusterrolebindings")]
    paths += [f"{rbac}/namespaces/istio-system/{kind}" for kind in ("roles", "rolebindings")]
    found = {path: cluster.api.get(path, **listed)["items"] for path in paths}
    return {
        (path.rpartition("/")[2], one["metadata"]["name"])
        for path, items in found.items()
        for one in items
        if one["metadata"].get("annotations", {}).get("meta.helm.sh/release-namespace") == namespace
    }


def test_it_is_upgraded_from_the_version_before_and_rolled_back(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """By helm itself: nothing is refused as another's or as unchangeable, and nothing of the other version stays."""
    here = ("--namespace", namespace, "--kubeconfig", str(cluster.kubeconfig))
    sets = ("--set", f"rbac.namespaces.{namespace}=clone", "--set", "rbac.hooks=true")
    before = previous.unpack(tmp_path) / "deploy" / "chart"
    try:
        chart.helm("install", INSTANCE, str(before), *here, *sets)
        old = stored(cluster, namespace)
        chart.helm("upgrade", INSTANCE, str(chart.CHART), *here, *sets)
        new = stored(cluster, namespace)
        chart.helm("rollback", INSTANCE, "1", *here)
        assert stored(cluster, namespace) == old
        rendered = chart.helm("template", INSTANCE, str(chart.CHART), "--namespace", namespace, *sets)
        wanted = {one["metadata"]["name"] for one in yaml.safe_load_all(rendered) if one}
        assert {name for _, name in new} == wanted
    finally:
        chart.helm("uninstall", INSTANCE, *here)
    assert stored(cluster, namespace) == set()
