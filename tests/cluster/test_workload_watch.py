"""What is watched of workloads: looks that find what is known cost nothing, and whatever is news is read itself.

A watch that is cut, refused or silent never says that a version is ready which is not.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from delivery.adapters.kube import observed as observation
from delivery.adapters.kube import watch
from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import path
from delivery.adapters.kube.observed import Observed
from delivery.adapters.workloads.kubernetes.adapter import KubernetesWorkloads
from delivery.adapters.workloads.kubernetes.reader import LOOKED_AT
from delivery.model.place import object_name
from delivery.model.version import Backend
from delivery.ports.workloads import Need
from tests.cluster import shop as chart
from tests.cluster.shop import NEW, OLD, TARGET, Shop
from tests.cluster.testbed import accounts
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.fault_proxy import FaultProxy
from tests.cluster.testbed.faults import WATCH, Answer, Lost, Mute

LOOKS = 20
WHOLE, HOME = Need(share=100), Need(home=True)
KNOWN, HOME_KNOWN = Need(share=100, known=True), Need(home=True, known=True)
Watched = tuple[KubernetesWorkloads, FaultProxy]


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> Iterator[Shop]:
    """Two pods of a chart that names a tag, with an autoscaler."""
    found = Shop(cluster, namespace)
    found.deploy(replicas=2)
    found.create(chart.autoscaler(namespace))
    found.until(found.has_rolled_out)
    yield found
    found.kube.close()


@pytest.fixture
def watched(cluster: Cluster, shop: Shop) -> Iterator[Watched]:
    """A worker that watches, behind the proxy; stable and a candidate for everybody are ready."""
    with cluster.faults() as (proxy, kubeconfig):
        kube = Kube(str(kubeconfig))
        workloads = KubernetesWorkloads(kube, [shop.namespace], Observed(kube, LOOKED_AT))
        shop.until(lambda: workloads.ensure(TARGET, shop.workload, OLD, HOME).ready)
        shop.until(lambda: workloads.ensure(TARGET, shop.workload, NEW, WHOLE).ready)
        yield workloads, proxy
        workloads.close()


def costs(shop: Shop, watched: Watched) -> int:
    """Requests of one look at both versions, which are ready and known to be."""
    workloads, proxy = watched
    mark = proxy.script.mark()
    assert workloads.ensure(TARGET, shop.workload, OLD, HOME_KNOWN).ready
    assert workloads.ensure(TARGET, shop.workload, NEW, KNOWN).ready
    return sum(one.verb != WATCH for one in proxy.script.seen(mark))


def free(shop: Shop, watched: Watched) -> Callable[[], bool]:
    return lambda: costs(shop, watched) == 0


def test_a_release_that_waits_costs_no_request(shop: Shop, watched: Watched) -> None:
    shop.until(free(shop, watched))
    mark, (_, proxy) = watched[1].script.mark(), watched
    for _ in range(LOOKS):
        assert costs(shop, watched) == 0
    assert proxy.script.seen(mark) == (), "not even a watch that begins anew"


def test_ready_is_news_and_news_is_read_itself(shop: Shop, watched: Watched) -> None:
    workloads, proxy = watched
    shop.until(free(shop, watched))
    for version, need in ((OLD, HOME), (NEW, WHOLE)):
        mark = proxy.script.mark()
        assert workloads.ensure(TARGET, shop.workload, version, need).ready
        assert proxy.script.counts(mark)["GET", "deployments"] >= 1


def test_what_is_waited_for_costs_nothing_until_it_is_there(shop: Shop, watched: Watched) -> None:
    workloads, proxy = watched
    shop.until(free(shop, watched))
    shop.cluster.api.patch(f"/apis/apps/v1/namespaces/{shop.namespace}/deployments/checkout", slow())
    shop.until(lambda: not workloads.look(TARGET, shop.workload, NEW, home=True).ready)
    mark = proxy.script.mark()
    for _ in range(LOOKS):
        found = workloads.look(TARGET, shop.workload, NEW, home=True)
        assert (found.ready, found.failing) == (False, None)
    assert proxy.script.counts(mark)["GET", "deployments"] <= LOOKS / 4, "a look before the watch had it may cost"
    shop.until(lambda: workloads.look(TARGET, shop.workload, NEW, home=True).ready)


def slow() -> dict:
    """Its pods are replaced by some of the new image that take a while."""
    template = {"metadata": {"annotations": {"testbed/ready-after": "3"}}}
    return {"spec": {"template": template | {"spec": {"containers": [{"name": "checkout", "image": NEW.image}]}}}}


def test_what_ends_is_seen_at_once(shop: Shop, watched: Watched) -> None:
    workloads, _ = watched
    shop.until(free(shop, watched))
    shop.kill(NEW)
    shop.until(lambda: not workloads.ensure(TARGET, shop.workload, NEW, KNOWN).ready)


@pytest.mark.parametrize("fault", [Lost(applied=False), Answer(500), Answer(410), Answer(403)], ids=repr)
def test_without_a_watch_every_look_asks(
    shop: Shop, watched: Watched, fault: Lost | Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut, failing, too old, forbidden: a version that ends meanwhile is seen, and afterwards looks are free again."""
    monkeypatch.setattr(watch, "WATCH_SECONDS", 1)
    monkeypatch.setattr(observation, "REFUSED", 1.0)
    workloads, proxy = afresh(shop, watched)
    shop.until(free(shop, (workloads, proxy)))
    with proxy.script.faults((fault, WATCH, "")):
        shop.until(lambda: costs(shop, (workloads, proxy)) > 0)
        shop.kill(NEW)
        shop.until(lambda: not workloads.ensure(TARGET, shop.workload, NEW, KNOWN).ready)
        shop.until(lambda: workloads.ensure(TARGET, shop.workload, NEW, WHOLE).ready)
    shop.until(free(shop, (workloads, proxy)))
    workloads.close()


def afresh(shop: Shop, watched: Watched) -> Watched:
    """Another worker behind the same proxy: a restart."""
    return another(shop, watched[0]), watched[1]


def another(shop: Shop, like: KubernetesWorkloads) -> KubernetesWorkloads:
    kube = like._kube
    return KubernetesWorkloads(kube, [shop.namespace], Observed(kube, LOOKED_AT))


def test_a_watch_that_has_gone_silent_never_says_that_something_is_ready(
    shop: Shop, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks alive, and the candidate goes: nobody is told that it became ready; soon nobody, that it still is."""
    monkeypatch.setattr(watch, "QUIET", 2.0)
    speaks = threading.Event()
    _, proxy = watched
    with proxy.script.faults((Mute(speaks), WATCH, "")):
        workloads = another(shop, watched[0])
        shop.until(free(shop, (workloads, proxy)))
        name = object_name(Backend("checkout", NEW))
        shop.cluster.api.delete(path("apps/v1", "Deployment", shop.namespace, name))
        assert not workloads.look(TARGET, shop.workload, NEW).ready
        shop.until(lambda: not workloads.ensure(TARGET, shop.workload, NEW, KNOWN).ready)
        speaks.set()
    workloads.close()


def test_without_the_right_to_watch_looks_cost_and_the_refusal_is_not_repeated(
    cluster: Cluster, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = ["get", "list", "create", "update", "patch", "delete"]
    rules = [{"apiGroups": ["", "apps", "autoscaling", "policy"], "resources": ["*"], "verbs": every}]
    accounts.grant(cluster.api, shop.namespace, "delivery", rules)
    secret = accounts.token(cluster.api, shop.namespace, "delivery")
    with cluster.faults() as (proxy, _):
        kubeconfig = accounts.write_kubeconfig(tmp_path / "limited", proxy.url, cluster.certificates.authority, secret)
        kube = Kube(str(kubeconfig))
        workloads = KubernetesWorkloads(kube, [shop.namespace], Observed(kube, LOOKED_AT))
        shop.until(lambda: workloads.ensure(TARGET, shop.workload, OLD, HOME).ready)
        shop.until(lambda: any(one.verb == WATCH and one.status == 403 for one in proxy.script.seen()))
        for _ in range(LOOKS):
            assert workloads.ensure(TARGET, shop.workload, OLD, HOME_KNOWN).ready
        counts = proxy.script.counts()
        assert counts["GET", "deployments"] >= LOOKS
        assert counts[WATCH, "deployments"] <= 1, "it is not asked for again and again"
        workloads.close()


def test_a_watch_that_nobody_needs_ends(shop: Shop, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "WATCH_SECONDS", 1)
    monkeypatch.setattr(watch, "IDLE", 2.0)
    others = watching(shop)
    workloads, proxy = afresh(shop, watched)
    shop.until(free(shop, (workloads, proxy)))
    threads = watching(shop) - others
    assert threads
    shop.until(lambda: not watching(shop) & threads)
    shop.until(free(shop, (workloads, proxy)))
    workloads.close()


def watching(shop: Shop) -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name.startswith("watch of") and shop.namespace in one.name}


def test_where_there_are_too_many_objects_looks_cost(
    shop: Shop, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observation, "MOST_OBJECTS", 1)
    workloads, proxy = afresh(shop, watched)
    for _ in range(3):
        assert costs(shop, (workloads, proxy)) > 0
    workloads.close()
