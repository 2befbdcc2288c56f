"""Several who write one VirtualService: owners who edit, workers who fight, an API server that fails."""

import copy
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from delivery.adapters.kube.client import CALL_SECONDS
from delivery.adapters.kube.objects import ISTIO, path
from delivery.adapters.mesh.istio.adapter import IstioMesh
from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.engine.fence import Fenced
from delivery.model.place import Mode, Place, RouteRef
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, HeaderMatch, Match, MatchKind, Rule, Traffic
from delivery.model.version import Backend
from delivery.ports.errors import Conflict, Refused, Unavailable
from delivery.ports.mesh import Live, Route, Stamp
from delivery.testing.builders import CANDIDATE, STABLE
from delivery.testing.contracts.mesh_values import Case
from tests.cluster import istio_world
from tests.cluster.istio_world import IstioWorld
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.faults import Answer, Lost, Slow
from tests.unit.engine.test_fence import ME, OTHER, Scene

EDITS_EVERY = 0.15  # seconds: a tool that rewrites it all the time
VIRTUAL_SERVICES = "/virtualservices/"


@pytest.fixture
def world(cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[IstioWorld]:
    yield from istio_world.running(cluster, namespace, istiods)


@pytest.fixture
def case(world: IstioWorld) -> Case:
    return world.declare()


class Editor(threading.Thread):
    """Rewrites the VirtualService all the time, as a controller does: reads it, changes what is its own."""

    def __init__(self, world: IstioWorld) -> None:
        super().__init__()
        self.world = world
        self.edits = self.overtaken = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(EDITS_EVERY):
            number = self.edits + 1
            try:
                self.world.change_unseen("checkout", partial(their_edit, number=number))
            except ApiException as error:
                if error.status != 409:
                    raise
                self.overtaken += 1
            else:
                self.edits = number

    def __enter__(self) -> "Editor":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()


def persistent(case: Case, traffic: Traffic) -> tuple[Live, int]:
    """As the engine does it: whoever was overtaken reads again. And how often that was."""
    for tried in range(50):
        try:
            return case.write(traffic), tried
        except Conflict:
            continue
    raise AssertionError("overtaken fifty times")


def test_a_foreign_editor_loses_nothing_and_neither_do_we(world: IstioWorld, case: Case) -> None:
    foreign = {"name": "static", "match": [{"uri": {"prefix": "/static"}}], "redirect": {"uri": "/"}}
    world.change_unseen("checkout", lambda found: found["spec"]["http"].insert(0, copy.deepcopy(foreign)))
    live, overtaken = persistent(case, ALL_STABLE)
    with Editor(world) as editor:
        while editor.edits < 20 or overtaken + editor.overtaken == 0:
            live, tried = persistent(case, Traffic(weight=case.seq % 50 + 1))
            overtaken += tried
    found = world.stored("checkout")
    assert world.mesh.read(case.target).content == live.content, "no edit of theirs has undone a write of ours"
    assert found["metadata"]["labels"]["edited"] == str(editor.edits), "no write of ours has undone an edit of theirs"
    assert found["spec"]["http"][-1]["timeout"] == f"{editor.edits}s"
    assert [each for each in found["spec"]["http"] if each.get("name") == "static"] == [foreign]


def their_edit(found: dict[str, Any], number: int) -> None:
    found["metadata"].setdefault("labels", {})["edited"] = str(number)
    found["spec"]["http"][-1]["timeout"] = f"{number}s"


def test_a_pause_by_annotation_says_where_it_is_and_changes_nothing(world: IstioWorld, case: Case) -> None:
    case.write(Traffic(weight=10))
    world.pause(case.target, "by Ann")
    before = world.stored("checkout")
    with pytest.raises(Unavailable, match=r"nothing is written: .*checkout.*by Ann.*remove it to go on"):
        case.write(ALL_STABLE)
    assert world.stored("checkout") == before


class Two:
    """A public and an internal VirtualService of one service, both named in the service file."""

    def __init__(self, world: IstioWorld) -> None:
        self.world = world
        self.case = world.declare()
        refs = (RouteRef("checkout"), RouteRef("internal"))
        world.places["checkout"] = Place(world.namespace, "checkout", "checkout", Mode.VERSIONED, routes=refs)
        second = world.virtual_service("checkout")
        second["metadata"]["name"] = "internal"
        second["spec"]["hosts"] = [world.host("internal")]
        world.ensure(second)

    def weights(self) -> list[int]:
        return [self.weight(name) for name in ("checkout", "internal")]

    def weight(self, name: str) -> int:
        entries = self.world.stored(name)["spec"]["http"][-1]["route"]
        return entries[-1].get("weight", 100) if len(entries) > 2 else 0


def test_all_routes_are_raised_and_each_is_proven(world: IstioWorld) -> None:
    two = Two(world)
    two.case.write(Traffic(weight=30))
    assert two.weights() == [30, 30]
    world.until(two.case.proven)
    two.case.write(ALL_STABLE)
    assert two.weights() == [0, 0]


def test_where_one_cannot_be_raised_none_is(world: IstioWorld) -> None:
    two = Two(world)
    two.case.write(Traffic(weight=10))
    broken = Match(headers=(HeaderMatch("x-beta", MatchKind.REGEX, "(unclosed"),))
    with pytest.raises(Refused):
        two.case.write(Traffic(weight=30, rules=(Rule("beta", (broken,)),)))
    assert two.weights() == [10, 10]
    read = world.mesh.read(two.case.target)
    world.change_unseen("internal", lambda found: their_edit(found, 1))
    with pytest.raises(Conflict):
        world.mesh.write(two.case.route(Traffic(weight=30)), two.case.stamp(), read.revision)
    assert two.weights() == [10, 10], "what was raised before the conflict was put back"
    assert world.stored("internal")["metadata"]["labels"]["edited"] == "1"


def test_each_is_lowered_whatever_happens_to_the_others(cluster: Cluster, world: IstioWorld) -> None:
    two = Two(world)
    two.case.write(Traffic(weight=30))
    with cluster.faults() as (proxy, kubeconfig):
        mesh = world.connect(kubeconfig=kubeconfig)
        read = mesh.read(two.case.target)
        proxy.script.add(Answer(500), "PUT", "/virtualservices/checkout$", times=1)
        with pytest.raises(Unavailable):
            mesh.write(two.case.route(ALL_STABLE), two.case.stamp(), read.revision)
        assert two.weights() == [30, 0]
        live = mesh.read(two.case.target)
        assert live.weight == 30, "the most that is live is told"
        mesh.write(two.case.route(ALL_STABLE), two.case.stamp(), live.revision)
        assert two.weights() == [0, 0]


@pytest.mark.parametrize(
    ("fault", "error", "applied"),
    [
        (Answer(409), Conflict, False),
        (Answer(429, retry_after=3), Unavailable, False),
        (Answer(503), Unavailable, False),
        (Lost(applied=False), Unavailable, False),
        (Lost(applied=True), Unavailable, True),
    ],
)
def test_an_api_that_fails_is_told_in_the_engines_words(
    cluster: Cluster, world: IstioWorld, case: Case, fault: Any, error: type[Exception], applied: bool
) -> None:
    case.write(ALL_STABLE)
    with cluster.faults() as (proxy, kubeconfig):
        mesh = world.connect(kubeconfig=kubeconfig)
        read = mesh.read(case.target)
        proxy.script.add(fault, "PUT", VIRTUAL_SERVICES, times=1)
        with pytest.raises(error) as told:
            mesh.write(case.route(Traffic(weight=10)), case.stamp(), read.revision)
        assert getattr(told.value, "retry_after", None) == getattr(fault, "retry_after", None)
        live = mesh.read(case.target)
        assert (live.weight, live.revision != read.revision) == (10 if applied else 0, applied)
        mesh.write(case.route(Traffic(weight=20)), case.stamp(), live.revision)
        assert mesh.read(case.target).weight == 20


class Paused(IstioMesh):
    """Something happens just before its next write arrives."""

    before: Callable[[], object] = staticmethod(lambda: None)

    def write(self, route: Route, stamp: Stamp, expect: str) -> Live:
        self.before()
        return super().write(route, stamp, expect)


class OnTheCluster(Scene):
    """The fence's scene, over the real API server: two workers, one ledger, one VirtualService."""

    def __init__(self, world: IstioWorld, mesh: Any) -> None:
        super().__init__()
        self.mesh = mesh
        self.world = world

    @property
    def weight(self) -> int:
        return self.mesh.read(self.row.target.id).weight


def scene_on(world: IstioWorld, kubeconfig: Any = None) -> OnTheCluster:
    world.own("checkout")
    for version in (STABLE, CANDIDATE):
        world.declare_lanes(Backend("checkout", version))
    mesh = world.connect(kubeconfig=kubeconfig)
    mesh.__class__ = Paused
    return OnTheCluster(world, mesh)


def test_a_worker_that_was_paused_past_its_lease_writes_nothing(world: IstioWorld) -> None:
    scene = scene_on(world)

    def overtaken() -> None:
        scene.mesh.before = lambda: None
        scene.taken_over()
        assert scene.write(by=OTHER).result is Fenced.WRITTEN

    scene.mesh.before = overtaken
    assert scene.write(by=ME).result is Fenced.LOST
    assert (scene.row.writer, scene.stamp().epoch) == (OTHER, scene.row.epoch)
    assert (scene.row.content, scene.weight) == (scene.mesh.read(scene.row.target.id).content, 5)


def test_a_write_that_arrives_after_its_worker_was_replaced_changes_nothing(
    cluster: Cluster, world: IstioWorld
) -> None:
    with cluster.faults() as (proxy, kubeconfig):
        scene = scene_on(world, kubeconfig)
        proxy.script.add(Slow(CALL_SECONDS + 1), "PUT", VIRTUAL_SERVICES, times=1)
        with pytest.raises(Unavailable):
            scene.write(by=ME)
        scene.taken_over()
        assert scene.write(by=OTHER).result is Fenced.WRITTEN
        mine = scene.stamp()
        world.until(lambda: [one.status for one in proxy.script.seen() if one.verb == "PUT"] == [409, 200])
        assert scene.stamp() == mine
        assert (scene.row.writer, mine.epoch) == (OTHER, scene.row.epoch)


def test_everything_at_once_is_refused_without_a_route(world: IstioWorld, case: Case) -> None:
    world.places["checkout"] = Place(world.namespace, "checkout", "other")
    assert world.mesh.read(case.target).content == ""
    with pytest.raises(Refused, match=r"no VirtualService of namespace .* has an HTTP route to other"):
        case.write(ALL_CANDIDATE)
    world.places["checkout"] = Place(world.namespace, "checkout", "checkout", routes=(RouteRef("gone"),))
    with pytest.raises(Refused, match=r"there is no VirtualService .*/gone: create it, or correct `routes`"):
        case.write(ALL_CANDIDATE)


def test_a_destination_that_owners_added_refuses_no_revert(world: IstioWorld, case: Case) -> None:
    case.write(Traffic(weight=50))

    def add(found: dict[str, Any]) -> None:
        found["spec"]["http"][-1]["route"][-1]["weight"] = 40
        found["spec"]["http"][-1]["route"].append({"destination": {"host": "legacy"}, "weight": 10})

    world.change(case.target, add)
    with pytest.raises(Refused, match="sends to legacy"):
        case.write(Traffic(weight=60))
    case.shift(ALL_STABLE)
    weights = [entry["weight"] for entry in world.stored("checkout")["spec"]["http"][-1]["route"]]
    assert weights == [0, 10, 90], "the owners' own and legacy as they were, stable with all that was ours"


def test_a_virtual_service_that_is_gone_keeps_no_other_from_being_lowered(world: IstioWorld) -> None:
    two = Two(world)
    two.case.write(Traffic(weight=30))
    world.testbed.api.delete(path(ISTIO, "VirtualService", world.namespace, "checkout"))
    with pytest.raises(Refused, match=r"there is no VirtualService .*/checkout"):
        two.case.write(Traffic(weight=40))
    two.case.shift(ALL_STABLE)
    assert two.weight("internal") == 0
