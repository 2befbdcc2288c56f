"""What turns tell of a release: what they changed, in the release's own trace, and nothing of the others."""

from dataclasses import replace

import pytest

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.mesh.memory import MemoryMesh
from delivery.engine.answer import Arrival
from delivery.engine.drain import BREATH
from delivery.machine.evolve import fold
from delivery.model.ids import SECOND, Principal, ReleaseId
from delivery.model.notice import Notice, ReleaseAction, ReleaseRequested
from delivery.model.signal import Abort
from delivery.model.version import VersionRef
from delivery.ports.errors import Unavailable
from delivery.ports.rows import Committed, Result
from delivery.ports.telemetry import Kind, Work
from tests.api.world import ManualClock, World
from tests.unit.engine.started import baking

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def world() -> World:
    clock = ManualClock()
    world = World(MemoryLedger(clock, fold), clock)
    baking(world)
    say(world, abort(world))
    world.go(5)
    return world


def say(world: World, notice: Notice) -> ReleaseId:
    (answer,) = world.inbox.accept([Arrival(notice, b"{}")])
    assert answer.release is not None
    return answer.release


def abort(world: World) -> Notice:
    (row,) = world.ledger.rows()
    assert row.target.active is not None
    return Notice("api", f"abort {row.target.active}", "d", ReleaseAction(row.target.active, Abort(Principal("a"))))


def released(world: World, trace: str = TRACE) -> ReleaseId:
    says = ReleaseRequested("checkout", VersionRef.of("1.4.3"), Principal("alice"))
    return say(world, Notice("ci", "1.4.3", "d", says, trace=trace))


def told(world: World, name: str = "process release") -> list[Work]:
    return [work for work in world.telemetry.works.get(TRACE, ()) if work.name == name]


def calls(world: World, name: str) -> list[Work]:
    return [part for work in told(world) for part in work.parts if part.name == name]


def test_a_release_tells_of_each_write_and_of_what_proxies_said_of_it(world):
    release = released(world)
    world.go(5)
    (wrote,), (proven,) = calls(world, "write traffic"), calls(world, "confirm traffic")
    assert (wrote.kind, wrote.facts["delivery.weight"], wrote.facts["delivery.outcome"]) == (Kind.CALLS, 5, "written")
    assert proven.facts["delivery.outcome"] == "Confirmed"
    assert proven.facts["delivery.dseq"] == wrote.facts["delivery.dseq"]
    assert {one.facts["delivery.release"] for one in (wrote, proven, *told(world))} == {release}
    names = [moment.name for work in told(world) for moment in work.moments]
    assert names[-2:] == ["StageEntered", "TrafficConfirmed"]


def test_ticks_that_decide_nothing_are_not_told(world):
    released(world)
    world.go(5)
    before = len(told(world))
    world.go(30)
    assert world.telemetry.values["effect_seconds"]
    assert len(told(world)) == before


def test_the_look_that_leads_to_something_is_told_with_what_the_gates_said(world):
    world.load("checkout@local")
    world.fails("1.4.3", 0.5)
    released(world)
    world.go(60)
    assert "errors=fail" in [str(work.facts["delivery.verdicts"]) for work in calls(world, "measure")][-1]
    assert calls(world, "write traffic")[-1].facts["delivery.weight"] == 0
    assert told(world)[-1].facts["delivery.outcome"] == "rolled_back"


def test_a_mesh_that_fails_is_told_once_and_so_is_its_return(world, monkeypatch):
    def down(*_: object) -> None:
        raise Unavailable("no answer")

    with monkeypatch.context() as broken:
        broken.setattr(MemoryMesh, "read", down)
        released(world)
        world.go(20)
        (failed,) = calls(world, "write traffic")
        assert (failed.trouble, failed.facts["delivery.outcome"]) == ("MeshDown", "MeshDown")
    world.go(5)
    assert [one.trouble for one in calls(world, "write traffic")] == ["MeshDown", ""]


def test_a_fault_of_ours_is_told_by_its_kind(world, monkeypatch):
    def broken(*_: object) -> None:
        raise KeyError("a text that may say too much")

    monkeypatch.setattr(MemoryMesh, "read", broken)
    released(world)
    world.go(3)
    faults = calls(world, "write traffic")
    assert {fault.trouble for fault in faults} == {"KeyError"}
    assert "too much" not in str(faults)


def test_what_a_conflict_threw_away_is_not_told(world, monkeypatch):
    commit = MemoryLedger.commit
    conflicts: list[object] = []

    def contended(self, units):
        if not conflicts and any(unit.events for unit in units):
            conflicts.append(units)
            return tuple(Committed(Result.CONFLICT) for _ in units)
        return commit(self, units)

    released(world)
    monkeypatch.setattr(MemoryLedger, "commit", contended)
    world.go(5)
    assert conflicts
    seqs = [moment.facts["delivery.seq"] for work in told(world) for moment in work.moments]
    assert seqs == sorted(set(seqs)), "each event once"


def test_a_release_that_came_by_no_trace_has_none(world):
    released(world, trace="")
    world.go(10)
    assert world.telemetry.works == {}


def test_the_log_says_which_trace_an_event_belongs_to(world):
    released(world)
    world.go(5)
    lines = [fields for event, fields in world.telemetry.lines if event == "moved"]
    assert lines[-1]["trace_id"] == TRACE[3:35]
    assert "trace_id" not in lines[0]


def test_a_confirmation_lasts_from_the_first_question_to_the_answer(world, monkeypatch):
    confirm, not_yet = MemoryMesh.confirm, [("proxy-1",)] * 3

    def slow(self, *asked):
        told = confirm(self, *asked)
        return replace(told, proven=False, missing=not_yet.pop()) if not_yet else told

    monkeypatch.setattr(MemoryMesh, "confirm", slow)
    released(world)
    world.go(5)
    (proven,) = calls(world, "confirm traffic")
    assert not not_yet
    assert proven.ended - proven.begun >= 3 * BREATH * SECOND, "it was asked again three times"
