"""A worker that is paused in the middle of taking a version away takes nothing from a release that uses it again."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import Document, path
from delivery.adapters.workloads.kubernetes.adapter import KubernetesWorkloads
from delivery.model.place import Mode, object_name
from delivery.model.version import Backend
from delivery.ports.errors import Conflict, Unavailable
from delivery.ports.workloads import Need
from tests.cluster import shop as chart
from tests.cluster.shop import NEW, TARGET, Shop
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.fault_proxy import FaultProxy
from tests.cluster.testbed.faults import Held

COPY = object_name(Backend("checkout", NEW))
FIRST, SECOND = Need(share=50, by="rel_1"), Need(share=50, by="rel_2")


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> Iterator[Shop]:
    yield from chart.charted(cluster, namespace, 2)


@pytest.fixture
def workloads(shop: Shop) -> KubernetesWorkloads:
    """Of the worker that has the target now."""
    return KubernetesWorkloads(shop.kube, [shop.namespace])


@pytest.fixture
def paused(cluster: Cluster, shop: Shop) -> Iterator[tuple[KubernetesWorkloads, FaultProxy]]:
    """The worker that had it before: its requests wait where the test says."""
    with cluster.faults() as (proxy, kubeconfig):
        kube = Kube(str(kubeconfig))
        yield KubernetesWorkloads(kube, [shop.namespace]), proxy
        kube.close()


def ready(shop: Shop, workloads: KubernetesWorkloads, need: Need) -> None:
    def found() -> bool:
        try:
            running = workloads.ensure(TARGET, shop.workload, NEW, need)
        except Unavailable:  # its status changes as fast as we write: asked again, as the engine does
            return False
        assert running.failing is None, running.failing
        return running.ready

    shop.until(found)


def late(shop: Shop, paused: tuple[KubernetesWorkloads, FaultProxy], where: str, meanwhile: Callable[[], None]) -> None:
    """The version is taken away by the old worker, whose next DELETE there comes only after what happens meanwhile. By
    then the target is another's, which the old one learns when it asks: should its call not wait so long, for example.
    """
    old, proxy = paused
    goes_on, lost = threading.Event(), threading.Event()
    proxy.script.add(Held(goes_on), "DELETE", where, times=1)
    ended: list[Exception] = []

    def take_away() -> None:
        while not (goes_on.is_set() or (lost.is_set() and ended)):
            try:
                old.retire(TARGET, shop.workload, NEW, lambda: not lost.is_set())
            except (Conflict, Unavailable) as error:  # its pods end their requests: asked again, as the engine does
                ended.append(error)

    thread = threading.Thread(target=take_away)
    thread.start()
    try:
        shop.until(lambda: any(one.verb == "DELETE" and where in one.path for one in proxy.script.seen()))
        ended.clear()
        lost.set()
        meanwhile()
    finally:
        goes_on.set()
        thread.join()
    assert ended, "it was told that something else needs the version"


def stored(shop: Shop) -> dict[str, str]:
    """What there is of the copy, by uid."""
    kinds = (*chart_kinds(), ("apps/v1", "Deployment"))
    found: dict[str, str] = {}
    for version, kind in kinds:
        one: Document | None = shop.kube.find(path(version, kind, shop.namespace, COPY))
        found[kind] = one["metadata"]["uid"] if one else ""
    return found


def chart_kinds() -> tuple[tuple[str, str], ...]:
    return ("v1", "Service"), ("autoscaling/v2", "HorizontalPodAutoscaler"), ("policy/v1", "PodDisruptionBudget")


def test_a_copy_that_another_release_uses_is_not_deleted(
    shop: Shop, workloads: KubernetesWorkloads, paused: tuple[KubernetesWorkloads, FaultProxy]
) -> None:
    ready(shop, workloads, FIRST)
    before = stored(shop)
    late(shop, paused, "/deployments/", lambda: ready(shop, workloads, SECOND))
    assert stored(shop) == before


@pytest.mark.parametrize("where", ["/services/", "/horizontalpodautoscalers/", "/poddisruptionbudgets/"])
def test_nor_what_stands_around_one_that_is_made_anew(
    shop: Shop, workloads: KubernetesWorkloads, paused: tuple[KubernetesWorkloads, FaultProxy], where: str
) -> None:
    ready(shop, workloads, FIRST)
    late(shop, paused, where, lambda: ready(shop, workloads, SECOND))
    assert all(stored(shop).values()), "nothing of it is missing"
    assert workloads.look(TARGET, shop.workload, NEW).ready


def test_whoever_has_lost_the_target_takes_nothing_away(shop: Shop, workloads: KubernetesWorkloads) -> None:
    ready(shop, workloads, FIRST)
    with pytest.raises(Conflict, match="somebody else has checkout@local"):
        workloads.retire(TARGET, shop.workload, NEW, lambda: False)
    assert all(stored(shop).values())


def test_a_version_of_ci_stays_marked_for_the_release_that_uses_it_again(
    shop: Shop, workloads: KubernetesWorkloads, paused: tuple[KubernetesWorkloads, FaultProxy]
) -> None:
    shop.place = replace(shop.place, mode=Mode.VERSIONED, candidate="checkout-{version}")
    made = chart.deployment(shop.namespace, 1, {}, NEW)
    own = {"app": "checkout", "version": "1.4.2"}
    made["metadata"]["name"] = "checkout-1-4-2"
    made["spec"]["selector"]["matchLabels"] = made["spec"]["template"]["metadata"]["labels"] = own
    shop.create(made)
    ready(shop, workloads, FIRST)
    late(shop, paused, "/services/", lambda: ready(shop, workloads, SECOND))
    assert stored(shop)["Service"]
    notes = shop.document("checkout-1-4-2")["metadata"]["annotations"]
    assert notes["progressive-delivery/in-use"] == TARGET
