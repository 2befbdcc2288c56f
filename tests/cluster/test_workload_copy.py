"""A copy of stable on a real API server: as young as the candidate, and no part of anything that its owners have."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from delivery.adapters.kube.objects import path
from delivery.adapters.workloads.kubernetes.adapter import KubernetesWorkloads
from delivery.model.place import Isolation, Mode, object_name
from delivery.model.version import Backend, VersionRef
from delivery.ports.workloads import Need, Running
from tests.cluster import shop as chart
from tests.cluster.shop import NAME, NEW, OLD, TARGET, Shop
from tests.cluster.test_workload_clone import (
    HPA,
    PDB,
    Watched,
    copies,
    gone,
    may_be_evicted,
    name_of,
    ready,
    written_by_us,
)
from tests.cluster.test_workload_modes import by_ci, put
from tests.cluster.testbed.cluster import Cluster

RELEASE = "rel_1"


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> Iterator[Shop]:
    yield from chart.charted(cluster, namespace, 4)


@pytest.fixture
def bare(cluster: Cluster, namespace: str) -> Iterator[Shop]:
    found = Shop(cluster, namespace)
    yield found
    found.kube.close()


def made(shop: Shop) -> KubernetesWorkloads:
    return KubernetesWorkloads(shop.kube, [shop.namespace])


def current(shop: Shop, workloads: KubernetesWorkloads) -> VersionRef:
    found = workloads.current(TARGET, shop.workload)
    assert found is not None
    return found


def test_its_owners_notice_nothing_of_it(shop: Shop) -> None:
    workloads = made(shop)
    copy = current(shop, workloads).copy_for(RELEASE)
    stable = {pod["metadata"]["uid"]: pod for pod in shop.pods(**chart.SELECTED)}
    with Watched(shop) as watched:
        for share, size in ((5, 1), (50, 2)):
            ready(shop, workloads, copy, share)
            ready(shop, workloads, NEW, share)
            assert [len(copies(shop, version)) for version in (copy, NEW)] == [size, size]
        mine = copies(shop, copy)
        shop.until(lambda: may_be_evicted(shop, [*stable.values(), *mine]))
        shop.until(lambda: len(watched.reasons) >= 6)  # all three autoscalers have said what they can do
    assert not [reason for reason in watched.reasons if "Ambiguous" in reason], watched.reasons
    assert watched.addresses == {pod["status"]["podIP"] for pod in stable.values()}
    container = mine[0]["spec"]["containers"][0]
    assert container == {
        **container,
        **shop.document()["spec"]["template"]["spec"]["containers"][0],
        "image": copy.image,
    }
    found = workloads.look(TARGET, shop.workload, copy)
    shop.until(lambda: set(shop.addresses(found.endpoints[0])) == {pod["status"]["podIP"] for pod in mine})
    shop.until(lambda: workloads.promote(TARGET, shop.workload, NEW).ready)
    assert workloads.look(TARGET, shop.workload, copy) == found, "what came home meanwhile changes nothing for it"
    gone(shop, workloads, copy)
    kinds = (HPA, PDB, ("Service", "v1"), ("Deployment", "apps/v1"))
    left = [shop.kube.find(path(api, kind, shop.namespace, name_of(copy))) for kind, api in kinds]
    assert left == [None] * 4
    assert written_by_us(shop) == {f"Deployment {NAME}"}
    assert workloads.look(TARGET, shop.workload, NEW).ready


def test_one_that_is_to_grow_still_answers(shop: Shop) -> None:
    workloads = made(shop)
    copy = current(shop, workloads).copy_for(RELEASE)
    ready(shop, workloads, copy, 25)
    grown = workloads.ensure(TARGET, shop.workload, copy, Need(share=50))
    assert (grown.ready, grown.answers, grown.failing) == (False, True, None)
    ready(shop, workloads, copy, 50)
    shop.set_image(str(NEW.image))
    refused: list[Running] = []

    def told() -> bool:
        """Watches are a moment behind."""
        refused.append(workloads.ensure(TARGET, shop.workload, copy, Need(share=75)))
        return "runs 1.4.2" in (refused[-1].failing or "")

    shop.until(told)
    assert (refused[-1].ready, refused[-1].answers) == (False, True)
    shop.until(lambda: workloads.look(TARGET, shop.workload, copy).ready)
    assert not workloads.ensure(TARGET, shop.workload, OLD.copy_for("rel_2"), Need(share=25)).answers


def test_what_its_owners_run_no_more_is_not_copied(bare: Shop) -> None:
    bare.deploy(version=NEW)
    found = made(bare).ensure(TARGET, bare.workload, OLD.copy_for(RELEASE), Need(share=5))
    assert not found.ready
    assert "runs 1.4.2" in (found.failing or "")
    assert "not 1.4.1" in (found.failing or "")
    assert copies(bare, OLD.copy_for(RELEASE)) == []


def test_where_others_roll_out_there_is_none(bare: Shop) -> None:
    bare.deploy()
    put(bare, mode=Mode.OBSERVE)
    found = made(bare).ensure(TARGET, bare.workload, OLD.copy_for(RELEASE))
    assert "mode: observe" in (found.failing or "")
    assert not made(bare).look(TARGET, bare.workload, OLD.copy_for(RELEASE)).ready


@pytest.mark.parametrize("isolation", list(Isolation))
def test_of_a_version_that_ci_deploys_a_whole_one_is_made(bare: Shop, isolation: Isolation) -> None:
    """As large as the candidate, which CI deploys whole whatever its share."""
    put(bare, mode=Mode.VERSIONED, candidate="checkout-{version}", isolation=isolation)
    workloads = made(bare)
    bare.kube.create(chart.service(bare.namespace))
    for version, name in ((OLD, "checkout-1-4-1"), (NEW, "checkout-1-4-2")):
        by_ci(bare, version, name)
    bare.until(lambda: workloads.ensure(TARGET, bare.workload, OLD).ready)
    copy = OLD.copy_for(RELEASE)
    ready(bare, workloads, copy, 5)
    (pod,) = copies(bare, copy)
    own = object_name(Backend(NAME, copy))
    assert pod["metadata"]["labels"]["version"] == own, "no Deployment of CI's selects it"
    assert {one["metadata"]["name"] for one in bare.pods(version="1.4.1")}.isdisjoint({pod["metadata"]["name"]})
    if isolation is Isolation.SERVICE:
        assert workloads.look(TARGET, bare.workload, copy).endpoints[0].host.startswith(own)
    found = workloads.current(TARGET, bare.workload, NEW)
    assert found is not None, "the copy is nothing that users would be on"
    assert found.version == "1.4.1"
    gone(bare, workloads, copy)
    assert workloads.ensure(TARGET, bare.workload, OLD).ready
    unknown = replace(OLD, version="1.4.0", identity="x").copy_for(RELEASE)
    assert "checkout-1-4-0" in (workloads.ensure(TARGET, bare.workload, unknown).failing or "")
