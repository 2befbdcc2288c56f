"""What is observed of all routes: by one watch, which costs nothing while nothing happens and comes back by itself."""

import threading
from collections.abc import Iterator

import pytest

from delivery.adapters.kube import watch
from delivery.adapters.kube.objects import path
from delivery.adapters.mesh.istio.adapter import IstioMesh
from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.model.traffic import ALL_STABLE, Traffic
from delivery.ports.errors import Unavailable
from delivery.testing.contracts.mesh_values import Case
from tests.cluster import istio_world
from tests.cluster.istio_world import ISTIO, IstioWorld
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.fault_proxy import FaultProxy
from tests.cluster.testbed.faults import WATCH, Answer

IDLE_LOOKS = 30
LOOK_EVERY = 0.1  # seconds


@pytest.fixture
def world(cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[IstioWorld]:
    yield from istio_world.running(cluster, namespace, istiods)


@pytest.fixture
def case(world: IstioWorld) -> Case:
    return world.declare()


@pytest.fixture
def watched(cluster: Cluster, world: IstioWorld) -> Iterator[tuple[IstioMesh, FaultProxy]]:
    """A worker whose requests are counted, and fail as told."""
    with cluster.faults() as (proxy, kubeconfig):
        mesh = world.connect(kubeconfig=kubeconfig)
        yield mesh, proxy
        mesh.close()


def test_looking_at_idle_routes_costs_no_request(watched: tuple[IstioMesh, FaultProxy], case: Case) -> None:
    mesh, proxy = watched
    live = case.write(ALL_STABLE)
    assert mesh.observe()[case.target] == live.seen
    case.world.until(lambda: proxy.script.counts()[WATCH, "virtualservices"] == 1)
    case.world.until(lambda: mesh.observe() is mesh.observe())  # what other tests have left behind is gone
    before = proxy.script.mark()
    pause, known = threading.Event(), mesh.observe()
    assert known[case.target] == live.seen
    for _ in range(IDLE_LOOKS):
        assert mesh.observe() == known
        pause.wait(LOOK_EVERY)
    assert mesh.observe() is mesh.observe(), "routes are not looked through again"
    assert proxy.script.seen(before) == ()


def test_drift_is_seen_whatever_it_is(world: IstioWorld, watched: tuple[IstioMesh, FaultProxy], case: Case) -> None:
    mesh, _ = watched
    live = case.write(Traffic(weight=10))
    at = path(ISTIO, "VirtualService", world.namespace, "checkout")
    ours = world.stored("checkout")
    assert mesh.observe()[case.target] == live.seen
    world.change_unseen("checkout", lambda found: found["spec"]["http"][-1].update(timeout="3s"))
    world.change_unseen("checkout", lambda found: found["spec"]["http"][-1]["route"][-1].update(weight=20))
    world.until(lambda: mesh.observe()[case.target] != live.seen)
    world.change_unseen("checkout", lambda found: found["spec"]["http"][-1]["route"][-1].update(weight=10))
    world.until(lambda: mesh.observe()[case.target] == live.seen)
    world.change_unseen("checkout", lambda found: found["spec"].update(http=[found["spec"]["http"][-1]]))
    world.until(lambda: mesh.observe()[case.target] != live.seen)
    world.testbed.api.delete(at)
    world.until(lambda: case.target not in mesh.observe())
    world.testbed.api.create({**ours, "metadata": {**ours["metadata"], "resourceVersion": None, "uid": None}})
    world.until(lambda: mesh.observe().get(case.target) == live.seen)


def test_a_route_that_is_added_for_the_service_is_drift(world: IstioWorld, case: Case) -> None:
    live = case.write(Traffic(weight=10))
    assert world.mesh.observe()[case.target] == live.seen
    second = world.virtual_service("checkout")
    second["metadata"]["name"] = "second"
    second["spec"]["hosts"] = [world.host("second")]
    world.testbed.api.create(second)
    world.until(lambda: world.mesh.observe()[case.target] != live.seen)
    again = case.write(Traffic(weight=10))
    assert again.revision.count("@") == 2
    assert world.mesh.observe()[case.target] == again.seen


@pytest.mark.parametrize("status", [410, 429, 500])
def test_a_watch_that_ends_is_begun_again_and_misses_nothing(
    world: IstioWorld, watched: tuple[IstioMesh, FaultProxy], case: Case, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "WATCH_SECONDS", 1)
    mesh, proxy = watched
    live = case.write(ALL_STABLE)
    assert mesh.observe()[case.target] == live.seen
    proxy.script.add(Answer(status), WATCH, "virtualservices", times=2)
    world.until(lambda: sum(one.status == status for one in proxy.script.seen()) == 2)
    live = case.write(Traffic(weight=10))
    world.until(lambda: mesh.observe()[case.target] == live.seen)
    lists = proxy.script.counts()["GET", "virtualservices"]
    assert lists == (3 if status == 410 else 1), "only what is too old is listed again"


def test_what_was_not_heard_for_long_is_not_told(
    world: IstioWorld, watched: tuple[IstioMesh, FaultProxy], case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "WATCH_SECONDS", 1)
    monkeypatch.setattr(watch, "STALE", 3.0)
    mesh, proxy = watched
    case.write(ALL_STABLE)
    mesh.observe()
    with proxy.script.faults((Answer(503), "", "virtualservices")):
        world.until(lambda: "fault of the tests" in told(mesh))
    world.until(lambda: not told(mesh))


def told(mesh: IstioMesh) -> str:
    """Why nothing can be observed."""
    try:
        mesh.observe()
    except Unavailable as error:
        return str(error)
    return ""
