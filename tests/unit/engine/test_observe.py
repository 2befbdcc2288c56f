"""The observer: which targets it wakes, and when it must not look."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from delivery.adapters.hints.none import NoHints
from delivery.adapters.ids import UlidIds
from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.mesh.memory import MemoryMesh
from delivery.adapters.metrics.memory import MemoryMetrics
from delivery.adapters.slots import InlineSlots
from delivery.adapters.telemetry.memory import MemoryTelemetry
from delivery.adapters.workloads.memory import MemoryWorkloads
from delivery.catalog.freeze import frozen
from delivery.engine.book import Book
from delivery.engine.cluster import Cluster
from delivery.engine.observe import LEASE, Observer
from delivery.engine.parts import Parts
from delivery.machine.evolve import fold
from delivery.model.ids import SECOND, Micros, TargetId
from delivery.model.target import Target
from delivery.ports.errors import Unavailable
from delivery.ports.mesh import Seen
from delivery.ports.rows import Committed, Row, Unit, Wake
from delivery.strategies.plan import compile_plan
from delivery.testing.contracts.ledger_values import Watch
from delivery.wiring import parse

ONE, TWO = TargetId("one@local"), TargetId("two@local")


class Routes(MemoryMesh):
    """What is observed is what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.content: dict[TargetId, str] = {}
        self.paused: dict[TargetId, str] = {}
        self.looks = 0

    def observe(self) -> Mapping[TargetId, Seen]:
        self.looks += 1
        if self.down:
            raise Unavailable("the mesh does not answer")
        return {target: Seen(content, self.paused.get(target)) for target, content in self.content.items()}


class Ledger(MemoryLedger):
    """Can be out of reach."""

    away = False

    def commit(self, units: Sequence[Unit]) -> tuple[Committed, ...]:
        if self.away:
            raise Unavailable("the database does not answer")
        return super().commit(units)


class Scene:
    """Two targets that nothing makes due, and a worker that has looked once."""

    def __init__(self) -> None:
        self.clock, self.mesh, self.telemetry = Watch(), Routes(), MemoryTelemetry()
        self.ledger = Ledger(self.clock, fold)
        for target in (ONE, TWO):
            self.ledger.create_target(Row(Target(target, target.partition("@")[0], "local")))
        cluster = Cluster("local", self.mesh, MemoryWorkloads(), MemoryMetrics(self.clock))
        book = Book(self.ledger, self.clock, parse, compile_plan, frozen)
        self.parts = Parts(
            self.ledger, {"local": cluster}, book, self.clock, UlidIds(), NoHints(), InlineSlots(), self.telemetry
        )
        self.observer = self.another("me")
        self.mesh.content = {ONE: "a", TWO: "a"}
        self.observer.run()
        self.sleep()

    def another(self, owner: str) -> Observer:
        return Observer(self.parts, owner)

    def sleep(self) -> None:
        """Whoever was woken has been looked at."""
        for target in (ONE, TWO):
            self.ledger.commit([Unit(target=target, wake=Wake(None, "a release event"))])

    def look(self, observer: Observer | None = None, after: int = SECOND) -> list[TargetId]:
        """Who is woken by a look some time later."""
        self.clock.pass_by(Micros(after))
        (observer or self.observer).run()
        return [row.target.id for row in self.ledger.rows() if row.due_at is not None]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_route_that_changed_wakes_its_target_and_no_other(scene: Scene) -> None:
    assert scene.look() == []
    scene.mesh.content[TWO] = "b"
    assert scene.look() == [TWO]
    (_, row) = scene.ledger.rows()
    assert (row.due_at, row.due_why, row.version) == (scene.clock.at, "the route changed", 0)


def test_a_route_that_is_gone_or_new_wakes_its_target(scene: Scene) -> None:
    del scene.mesh.content[ONE]
    assert scene.look() == [ONE]
    scene.sleep()
    scene.mesh.content[ONE] = "a"
    assert scene.look() == [ONE]


def test_a_pause_of_a_route_wakes_its_target_and_so_does_its_end(scene: Scene) -> None:
    scene.mesh.paused[ONE] = "Ann"
    assert scene.look() == [ONE]
    scene.sleep()
    assert scene.look() == []
    scene.mesh.paused.clear()
    assert scene.look() == [ONE]


def test_routes_of_nobody_harm_nobody(scene: Scene) -> None:
    scene.mesh.content |= {TargetId("foreign@local"): "x", TWO: "b"}
    assert scene.look() == [TWO]


def test_a_target_that_is_due_sooner_stays_so(scene: Scene) -> None:
    sooner = scene.clock.at
    scene.ledger.commit([Unit(target=ONE, wake=Wake(sooner, "a decision", urgent=True))])
    scene.mesh.content[ONE] = "b"
    scene.look()
    (row, _) = scene.ledger.rows()
    assert (row.due_at, row.urgent) == (sooner, True)


def test_it_looks_once_a_second_however_often_it_is_asked(scene: Scene) -> None:
    looks = scene.mesh.looks
    for _ in range(10):
        scene.look(after=SECOND // 10)
    assert scene.mesh.looks == looks + 1


def test_one_worker_looks_and_another_takes_over_when_it_is_gone(scene: Scene) -> None:
    other = scene.another("other")
    looks = scene.mesh.looks
    assert scene.look(other) == []
    assert scene.mesh.looks == looks, "the lease is somebody else's"
    assert scene.look(other, after=LEASE) == [ONE, TWO], "what changed since nobody looked is not known"
    scene.sleep()
    scene.mesh.content[ONE] = "b"
    assert scene.look() == []


def test_whoever_lost_the_lease_and_has_it_back_looks_at_everything_anew(scene: Scene) -> None:
    other = scene.another("other")
    scene.look(other, after=LEASE)
    scene.sleep()
    scene.look()
    scene.mesh.content[ONE] = "b"
    assert scene.look(after=LEASE) == [ONE, TWO]


def test_a_mesh_that_does_not_answer_is_told_and_nothing_is_forgotten(scene: Scene) -> None:
    scene.mesh.down = True
    assert scene.look() == []
    assert [event for event, _ in scene.telemetry.lines] == ["mesh_unavailable"]
    scene.mesh.down = False
    scene.mesh.content[TWO] = "b"
    assert scene.look() == [TWO]


def test_a_change_is_not_forgotten_because_the_database_was_away(scene: Scene) -> None:
    scene.mesh.content[TWO] = "b"
    scene.ledger.away = True
    with pytest.raises(Unavailable):
        scene.look()
    scene.ledger.away = False
    assert scene.look() == [TWO]


def test_told_that_anything_may_have_been_lost_it_wakes_everybody(scene: Scene) -> None:
    scene.observer.forget()
    assert scene.look() == [ONE, TWO]


def test_each_cluster_has_a_lease_of_its_own(scene: Scene) -> None:
    far = Routes()
    cluster = Cluster("far", far, MemoryWorkloads(), MemoryMetrics(scene.clock))
    far.content = {TargetId("one@far"): "a"}
    scene.ledger.create_target(Row(Target(TargetId("one@far"), "one", "far")))
    other = Observer(replace(scene.parts, clusters={**scene.parts.clusters, "far": cluster}), "other")
    assert scene.look(other) == [TargetId("one@far")]
