"""An ordinary chart, released beside itself: what its owners' own objects never notice."""

import threading
from collections.abc import Iterator

import pytest
from kubernetes.client.exceptions import ApiException

from delivery.adapters.kube.client import MANAGER, Kube
from delivery.adapters.kube.objects import path
from delivery.adapters.workloads.kubernetes.adapter import KubernetesWorkloads
from delivery.model.place import object_name
from delivery.model.version import Backend, VersionRef
from delivery.ports.errors import Unavailable
from delivery.ports.workloads import Need
from tests.cluster import shop as chart
from tests.cluster.shop import NAME, NEW, OLD, TARGET, Shop
from tests.cluster.testbed.api import Document
from tests.cluster.testbed.cluster import Cluster

NEXT = VersionRef.of("1.4.3", "registry.example/checkout:1.4.3")
HPA = ("HorizontalPodAutoscaler", "autoscaling/v2")
PDB = ("PodDisruptionBudget", "policy/v1")


class Watched:
    """Every address that a Service has ever led to, and every reason that an autoscaler has ever given."""

    def __init__(self, shop: Shop) -> None:
        self._kube = Kube(str(shop.cluster.kubeconfig))
        self._namespace = shop.namespace
        self.addresses: set[str] = set()
        self.reasons: set[str] = set()
        self.faults: list[str] = []
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(path("discovery.k8s.io/v1", "EndpointSlice", self._namespace),)),
            threading.Thread(target=self._watch, args=(path(HPA[1], HPA[0], self._namespace),)),
        ]

    def __enter__(self) -> "Watched":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._kube.close()
        assert self.faults == []

    def _watch(self, where: str) -> None:
        try:
            listed = self._kube.get(where)
            since = listed["metadata"]["resourceVersion"]
            for document in listed["items"]:
                self._see(document)
            while not self._ended.is_set():
                with self._kube.watch(where, since, 1) as events:
                    for event in events:
                        since = event["object"]["metadata"]["resourceVersion"]
                        self._see(event["object"])
        except Exception as error:  # the thread's end would otherwise look like silence
            self.faults.append(repr(error))

    def _see(self, document: Document) -> None:
        metadata = document["metadata"]
        if (metadata.get("labels") or {}).get("kubernetes.io/service-name") == NAME:
            found = document.get("endpoints") or ()
            self.addresses |= {address for one in found for address in one["addresses"]}
        if "scaleTargetRef" in document.get("spec", {}):
            conditions = (document.get("status") or {}).get("conditions") or ()
            self.reasons |= {f"{metadata['name']}: {one['reason']}" for one in conditions}


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> Iterator[Shop]:
    yield from chart.charted(cluster, namespace, 3)


@pytest.fixture
def workloads(shop: Shop) -> KubernetesWorkloads:
    return KubernetesWorkloads(shop.kube, [shop.namespace])


def name_of(version: VersionRef) -> str:
    return object_name(Backend("checkout", version))


def copies(shop: Shop, version: VersionRef) -> list[Document]:
    return shop.pods(**{"progressive-delivery/backend": name_of(version)})


def ready(shop: Shop, workloads: KubernetesWorkloads, version: VersionRef, share: int) -> None:
    def found() -> bool:
        running = workloads.ensure(TARGET, shop.workload, version, Need(share=share))
        assert running.failing is None, running.failing
        return running.ready

    shop.until(found)


def gone(shop: Shop, workloads: KubernetesWorkloads, version: VersionRef) -> None:
    def found() -> bool:
        try:
            workloads.retire(TARGET, shop.workload, version)
        except Unavailable:
            return False
        return True

    shop.until(found)


def evict(shop: Shop, pod: str) -> None:
    """As a drain does it; nothing is really evicted. Raises ApiException where the API server does not let it."""
    metadata = {"name": pod, "namespace": shop.namespace}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata, "deleteOptions": {"dryRun": ["All"]}}
    shop.cluster.api.post(f"{path('v1', 'Pod', shop.namespace, pod)}/eviction", body)


def may_be_evicted(shop: Shop, pods: list[Document]) -> bool:
    try:
        for pod in pods:
            evict(shop, pod["metadata"]["name"])
    except ApiException as error:
        if error.status == 429:  # the budget's controller has not counted the new pods yet
            return False
        raise
    return True


def test_a_chart_is_released_twice_and_notices_only_its_promotion(shop: Shop, workloads: KubernetesWorkloads) -> None:
    assert written_by_us(shop) == set()
    for before, version in ((OLD, NEW), (NEW, NEXT)):
        assert_released_beside_it(shop, workloads, before, version)
        promote(shop, workloads, version)
        workloads.rest(TARGET, shop.workload)
        assert shop.document(NAME, *HPA)["spec"]["minReplicas"] == 2, "its owners' own number is back"
        assert "progressive-delivery/pinned" not in shop.document(NAME, *HPA)["metadata"].get("annotations", {})
        gone(shop, workloads, version)
        left = [shop.kube.find(path(api, kind, shop.namespace, name_of(version))) for kind, api in (HPA, PDB)]
        assert left == [None, None]


def assert_released_beside_it(
    shop: Shop, workloads: KubernetesWorkloads, before: VersionRef, version: VersionRef
) -> None:
    """From 5 to 100 percent, while everything that belongs to its owners is watched."""
    stable = {pod["metadata"]["uid"]: pod for pod in shop.pods(**chart.SELECTED)}
    spec, touched = shop.document()["spec"], written_by_us(shop)
    with Watched(shop) as watched:
        assert workloads.ensure(TARGET, shop.workload, before, Need(home=True)).ready
        assert shop.document(NAME, *HPA)["spec"]["minReplicas"] == 3, "what runs now is kept"
        for share, size in ((5, 1), (50, 2), (100, 3)):
            ready(shop, workloads, version, share)
            assert len(copies(shop, version)) == size
            assert shop.document(name_of(version), *HPA)["spec"]["minReplicas"] == size
        mine = copies(shop, version)
        shop.until(lambda: may_be_evicted(shop, [*stable.values(), *mine]))
        shop.until(lambda: len(watched.reasons) >= 4)  # both autoscalers have said what they can do
    assert {pod["metadata"]["uid"] for pod in shop.pods(**chart.SELECTED)} == set(stable), "none was restarted"
    assert shop.document()["spec"] == spec, "nothing of it was written"
    assert written_by_us(shop) == touched | {f"{HPA[0]} {NAME}"}, "nor anything else but its autoscaler"
    assert watched.addresses == {pod["status"]["podIP"] for pod in stable.values()}
    assert not {pod["status"]["podIP"] for pod in mine} & watched.addresses
    assert not [reason for reason in watched.reasons if "Ambiguous" in reason], watched.reasons


def written_by_us(shop: Shop) -> set[str]:
    """Objects that are not ours and that our client has written last or before, as the API server knows it."""
    found = set()
    for kind, version in (("Deployment", "apps/v1"), ("Service", "v1"), ("Pod", "v1"), HPA, PDB):
        for one in shop.kube.get(path(version, kind, shop.namespace))["items"]:
            managers = {entry["manager"] for entry in one["metadata"].get("managedFields") or ()}
            owners = one["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") != "progressive-delivery"
            if owners and managers & {MANAGER}:
                found.add(f"{kind} {one['metadata']['name']}")
    return found


def promote(shop: Shop, workloads: KubernetesWorkloads, version: VersionRef) -> None:
    shop.until(lambda: workloads.promote(TARGET, shop.workload, version).ready)
    assert workloads.current(TARGET, shop.workload) == version
    assert {pod["spec"]["containers"][0]["image"] for pod in shop.pods(**chart.SELECTED)} == {version.image}


def test_what_a_naive_copy_does_to_its_original_would_be_seen(shop: Shop) -> None:
    """The same labels in a second Deployment: without this the test above could not fail."""
    naive = chart.deployment(shop.namespace, 1, {}, NEW)
    naive["metadata"]["name"] = "naive"
    with Watched(shop) as watched:
        shop.kube.create(naive)
        shop.kube.create(chart.autoscaler(shop.namespace, "naive"))
        second = chart.budget(shop.namespace)
        second["metadata"]["name"] = "naive"
        shop.kube.create(second)
        shop.until(lambda: f"{NAME}: AmbiguousSelector" in watched.reasons)
        shop.until(lambda: len(watched.addresses) > 3)
    with pytest.raises(ApiException) as refused:
        evict(shop, shop.pods(**chart.SELECTED)[0]["metadata"]["name"])
    assert refused.value.status == 500


def test_a_copy_is_as_its_owners_wrote_it_and_nothing_of_their_tools_is_on_it(
    shop: Shop, workloads: KubernetesWorkloads
) -> None:
    ready(shop, workloads, NEW, 100)
    made = [shop.document(name_of(NEW), *kind) for kind in (("Deployment", "apps/v1"), ("Service", "v1"), HPA, PDB)]
    for document in made:
        marks = {**document["metadata"]["labels"], **document["metadata"]["annotations"]}
        assert not [key for key in marks if "helm" in key or key == "app.kubernetes.io/instance"], marks
        assert marks["app.kubernetes.io/managed-by"] == "progressive-delivery"
        assert marks["progressive-delivery/target"] == TARGET
    stable, copy = shop.document()["spec"], made[0]["spec"]
    assert copy["strategy"] == stable["strategy"]
    container, original = copy["template"]["spec"]["containers"][0], stable["template"]["spec"]["containers"][0]
    assert container == {**original, "image": NEW.image}
    pods = copies(shop, NEW)
    assert {pod["metadata"]["labels"]["version"] for pod in pods} == {"1.4.2"}, "what Istio counts requests by"
    assert made[1]["spec"]["ports"] == shop.document(NAME, "Service", "v1")["spec"]["ports"]
