"""Every write of a release fails once, before or after it was applied; and what it costs to look."""

import functools
from collections.abc import Callable, Iterator

import pytest

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import path
from delivery.adapters.workloads.kubernetes.adapter import KubernetesWorkloads
from delivery.model.place import object_name
from delivery.model.version import Backend
from delivery.ports.errors import Conflict, Unavailable
from delivery.ports.workloads import Need
from tests.cluster import shop as chart
from tests.cluster.shop import NAME, NEW, OLD, TARGET, Shop
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.fault_proxy import FaultProxy
from tests.cluster.testbed.faults import Answer, Fault, Lost

KINDS = (
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
)


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> Iterator[Shop]:
    found = Shop(cluster, namespace)
    found.deploy(replicas=2)
    found.kube.create(chart.autoscaler(namespace, least=1))
    found.kube.create(chart.budget(namespace))
    found.until(found.has_rolled_out)
    yield found
    found.kube.close()


@pytest.fixture
def proxied(cluster: Cluster, shop: Shop) -> Iterator[tuple[KubernetesWorkloads, FaultProxy]]:
    """A worker behind the proxy."""
    with cluster.faults() as (proxy, kubeconfig):
        kube = Kube(str(kubeconfig))
        yield KubernetesWorkloads(kube, [shop.namespace]), proxy
        kube.close()


def names(shop: Shop) -> dict[str, set[str]]:
    return {
        kind: {one["metadata"]["name"] for one in shop.kube.get(path(version, kind, shop.namespace))["items"]}
        for version, kind in KINDS
    }


def again(call: Callable[[], bool]) -> Callable[[], bool]:
    """As the engine does it: what could not be done is asked again."""

    def asked() -> bool:
        try:
            return call()
        except (Unavailable, Conflict):
            return False

    return asked


@pytest.mark.parametrize(
    "fault",
    [Lost(applied=False), Lost(applied=True), Answer(500), Answer(409), Answer(429, retry_after=1)],
    ids=["lost before", "lost after", "500", "409", "429"],
)
def test_a_release_comes_through_whatever_write_fails(
    shop: Shop, proxied: tuple[KubernetesWorkloads, FaultProxy], fault: Fault
) -> None:
    workloads, proxy = proxied
    workload, before = shop.workload, names(shop)

    def ensured(share: int) -> bool:
        found = workloads.ensure(TARGET, workload, NEW, Need(share=share))
        assert found.failing is None, found.failing
        return found.ready

    def promoted() -> bool:
        found = workloads.promote(TARGET, workload, NEW, token="release/7")
        assert found.failing is None, found.failing
        return found.ready

    def retired() -> bool:
        workloads.retire(TARGET, workload, NEW)
        return True

    def rested() -> bool:
        workloads.rest(TARGET, workload)
        return True

    for verb in ("POST", "PUT", "PATCH", "DELETE"):
        for kind in ("deployments", "services", "horizontalpodautoscalers", "poddisruptionbudgets"):
            proxy.script.add(fault, verb, f"/{kind}", times=1)
    shop.until(again(lambda: workloads.ensure(TARGET, workload, OLD, Need(home=True)).ready))
    assert shop.document(NAME, "HorizontalPodAutoscaler", "autoscaling/v2")["spec"]["minReplicas"] == 2
    for share in (10, 100):
        shop.until(again(functools.partial(ensured, share)))
    mine = object_name(Backend("checkout", NEW))
    assert names(shop) == {kind: {*found, mine} for kind, found in before.items()}
    assert len(shop.pods(**{"progressive-delivery/backend": mine})) == 2
    shop.until(again(promoted))
    assert shop.image() == NEW.image
    shop.until(again(rested))
    assert shop.document(NAME, "HorizontalPodAutoscaler", "autoscaling/v2")["spec"]["minReplicas"] == 1
    shop.until(again(retired))
    assert names(shop) == before
    failed = [one for one in proxy.script.seen() if one.status in (0, 500, 409, 429) and one.verb != "GET"]
    assert len(failed) >= 10, "the faults were met"


def test_an_api_server_that_is_away_is_unavailable_and_says_nothing_against_a_version(
    shop: Shop, proxied: tuple[KubernetesWorkloads, FaultProxy]
) -> None:
    workloads, proxy = proxied
    with proxy.script.faults((Answer(503), "", "")):
        for call in (
            lambda: workloads.ensure(TARGET, shop.workload, NEW),
            lambda: workloads.look(TARGET, shop.workload, OLD, home=True),
            lambda: workloads.promote(TARGET, shop.workload, NEW),
            lambda: workloads.retire(TARGET, shop.workload, NEW),
            lambda: workloads.current(TARGET, shop.workload),
            lambda: workloads.rest(TARGET, shop.workload),
        ):
            with pytest.raises(Unavailable):
                call()


def test_a_look_at_what_is_ready_costs_a_few_reads_and_no_write(
    shop: Shop, proxied: tuple[KubernetesWorkloads, FaultProxy]
) -> None:
    workloads, proxy = proxied
    shop.until(lambda: workloads.ensure(TARGET, shop.workload, NEW, Need(share=50)).ready)
    shop.until(lambda: workloads.promote(TARGET, shop.workload, NEW).ready)
    workloads.ensure(TARGET, shop.workload, NEW, Need(home=True))
    since = proxy.script.mark()
    assert workloads.ensure(TARGET, shop.workload, NEW, Need(share=50)).ready
    assert proxy.script.counts(since) == {("GET", "deployments"): 1, ("GET", "services"): 1}
    since = proxy.script.mark()
    assert workloads.ensure(TARGET, shop.workload, NEW, Need(home=True)).ready
    home = {("GET", "deployments"): 1, ("GET", "services"): 1, ("GET", "horizontalpodautoscalers"): 1}
    assert proxy.script.counts(since) == home
