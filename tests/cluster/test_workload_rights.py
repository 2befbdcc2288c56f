"""The published rights are enough for everything that the adapter does, and for nothing else."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import path
from delivery.adapters.workloads.kubernetes.adapter import KubernetesWorkloads
from delivery.model.place import Mode
from delivery.ports.errors import Refused, Unavailable
from delivery.ports.workloads import Need
from tests.cluster import shop as chart
from tests.cluster.shop import NAME, NEW, OLD, TARGET, Shop
from tests.cluster.testbed.cluster import Cluster

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "workloads.md"


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> Iterator[Shop]:
    yield from chart.charted(cluster, namespace, 2)


@pytest.fixture
def limited(shop: Shop, tmp_path: Path) -> Iterator[Kube]:
    """Our client with an account that has what the documentation grants, and no more."""
    text = DOCUMENT.read_text().split("```yaml\n# rights", 1)[1].split("```", 1)[0]
    for body in yaml.safe_load_all(text.partition("\n")[2].replace("namespace: shop", f"namespace: {shop.namespace}")):
        if body["kind"].startswith("Cluster"):
            body["metadata"]["name"] += f"-{shop.namespace}"
            if "roleRef" in body:
                body["roleRef"]["name"] += f"-{shop.namespace}"
        shop.kube.create(body)
    where = path("v1", "ServiceAccount", shop.namespace, "delivery")
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    token = shop.cluster.api.post(f"{where}/token", request)["status"]["token"]
    config = json.loads(shop.cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config))
    kube = Kube(str(file))
    yield kube
    kube.close()


def test_they_are_enough_for_a_release_and_its_way_back(shop: Shop, limited: Kube) -> None:
    workloads, workload = KubernetesWorkloads(limited, [shop.namespace]), shop.workload
    assert workloads.current(TARGET, workload) is not None
    assert workloads.ensure(TARGET, workload, OLD, Need(home=True)).ready
    for share, by in ((1, "rel_1"), (100, "rel_1"), (100, "rel_2")):
        need = Need(share=share, by=by)
        shop.until(lambda need=need: workloads.ensure(TARGET, workload, NEW, need).ready)
    for version in (NEW, OLD):
        shop.until(lambda version=version: workloads.promote(TARGET, workload, version, token=version.version).ready)
    workloads.rest(TARGET, workload)

    def gone() -> bool:
        try:
            workloads.retire(TARGET, workload, NEW)
        except Unavailable:
            return False
        return True

    shop.until(gone)


def test_they_are_enough_for_versions_that_ci_deploys(shop: Shop, limited: Kube) -> None:
    shop.place = dataclasses.replace(shop.place, mode=Mode.VERSIONED, candidate="checkout-{version}")
    workloads = KubernetesWorkloads(limited, [shop.namespace])
    made = chart.deployment(shop.namespace, 1, {}, NEW)
    made["metadata"]["name"] = "checkout-1-4-2"
    own = {"app": "checkout", "version": "1.4.2"}
    made["spec"]["selector"]["matchLabels"] = made["spec"]["template"]["metadata"]["labels"] = own
    shop.kube.create(made)
    shop.kube.create(chart.autoscaler(shop.namespace, "checkout-1-4-2", least=1))
    shop.kube.patch(path("apps/v1", "Deployment", shop.namespace, "checkout-1-4-2"), {"spec": {"replicas": 2}})
    for need in (Need(by="rel_1"), Need(by="rel_2")):
        shop.until(lambda need=need: workloads.ensure(TARGET, shop.workload, NEW, need).ready)
    assert workloads.current(TARGET, shop.workload, NEW) is None
    workloads.retire(TARGET, shop.workload, NEW)


def test_they_are_no_more(shop: Shop, limited: Kube) -> None:
    for where in (
        path("v1", "Secret", shop.namespace),
        path("apps/v1", "Deployment", "kube-system"),
        path("rbac.authorization.k8s.io/v1", "Role", shop.namespace),
    ):
        with pytest.raises(Refused, match="forbidden"):
            limited.get(where)
    with pytest.raises(Refused, match="forbidden"):
        limited.replace(shop.document(NAME, "Service", "v1"))


def test_a_right_that_is_missing_is_told_in_the_api_servers_words(shop: Shop, limited: Kube) -> None:
    shop.kube.delete(path("rbac.authorization.k8s.io/v1", "RoleBinding", shop.namespace, "delivery-workloads"))

    def told() -> bool:
        found = KubernetesWorkloads(limited, [shop.namespace]).look(TARGET, shop.workload, OLD, home=True)
        return "deployments.apps" in (found.failing or "") and "forbidden" in (found.failing or "")

    shop.until(told)
