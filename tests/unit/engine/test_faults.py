"""Faults of our own code while performing: counted against their target alone, whatever else succeeds."""

import pytest

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.workloads.memory import MemoryWorkloads
from delivery.engine import turn
from delivery.machine.evolve import fold
from delivery.model.event import Phase
from delivery.model.ids import TargetId
from tests.api.world import ManualClock, World
from tests.unit.engine.started import aborted, baking

CHECKOUT = TargetId("checkout@local")


@pytest.fixture
def world() -> World:
    clock = ManualClock()
    world = World(MemoryLedger(clock, fold), clock)
    baking(world)
    return world


def test_a_fault_that_stays_ends_in_quarantine_though_everything_else_works(world, monkeypatch):
    original = MemoryWorkloads.ensure

    def broken(self, target, workload, version, *need):
        if version.version == "1.4.2":
            raise KeyError("endpoints")
        return original(self, target, workload, version, *need)

    monkeypatch.setattr(MemoryWorkloads, "ensure", broken)
    world.go(10)
    (row,) = world.ledger.rows()
    assert row.quarantined is not None
    assert "EnsureWorkload" in row.quarantined
    assert [alert.kind for alert in world.ledger.alerts(9)] == ["quarantined"]
    assert world.telemetry.counts["quarantined", ()] == 1, "which DeliveryQuarantined asks for"


def test_a_gate_that_raises_quarantines_its_target(world, monkeypatch):
    monkeypatch.setattr("delivery.gates.comparing.ComparingGate.add", lambda self, state, tick: state["nonsense"])
    world.go(60)
    (row,) = world.ledger.rows()
    assert "Measure" in (row.quarantined or "")
    assert world.mesh.traffic(CHECKOUT).weight == 5


def test_faults_that_end_are_forgotten(world, monkeypatch):
    original, left = MemoryWorkloads.ensure, [3]

    def sometimes(self, *arguments):
        if left[0] > 0:
            left[0] -= 1
            raise KeyError("endpoints")
        return original(self, *arguments)

    monkeypatch.setattr(MemoryWorkloads, "ensure", sometimes)
    world.go(30)
    (row,) = world.ledger.rows()
    assert (left, row.failures, row.quarantined) == ([0], 0, None)


@pytest.mark.parametrize("part", ["sample", "observe"])
def test_what_looks_at_all_targets_at_once_and_raises_keeps_none_of_them_from_going_back(world, monkeypatch, part):
    """What an adapter does not translate must not end the drain: a revert that was written has to be confirmed too."""

    def broken(*_):
        raise OSError("no such file: /etc/ca.pem")

    monkeypatch.setattr(world.metrics if part == "sample" else world.mesh, part, broken)
    world.go(30)
    assert world.ledger.rows()[0].quarantined is None
    release = aborted(world)
    world.go(5)
    assert world.mesh.traffic(CHECKOUT).weight == 0
    assert world.ledger.release(release).release.phase is Phase.ROLLED_BACK
    assert any("ca.pem" in str(fields) for _, fields in world.telemetry.lines), "and it is told"


def test_measurements_that_work_are_counted_too(world):
    """DeliveryMeasuresUnavailable asks for the share of those that do not: without them any failure is all of them."""
    world.load("checkout@local")
    world.go(30)
    done = (("kind", "Measure"), ("outcome", "done"))
    assert world.telemetry.counts["effects", done] > 1


def test_a_release_is_held_while_what_measures_it_raises(world, monkeypatch):
    world.load("checkout@local")
    monkeypatch.setattr(world.metrics, "sample", lambda subjects: subjects["counters"])
    world.go(600)
    (row,) = world.ledger.rows()
    release = world.ledger.release(row.target.active).release
    assert (release.stage, [hold.kind.value for hold in release.holds]) == (0, ["no_data"])


@pytest.mark.parametrize("part", ["wants", "wake"])
def test_what_cannot_tell_what_is_to_be_done_takes_out_its_target_and_ends_no_drain(world, monkeypatch, part):
    original = getattr(turn, part)

    def broken(release, *arguments):
        if release.bound is not None and release.bound.candidate.version == "1.4.2":
            raise KeyError("stage")
        return original(release, *arguments)

    monkeypatch.setattr(turn, part, broken)
    world.go(90)
    (row,) = world.ledger.rows()
    assert row.quarantined == "KeyError('stage')"
    assert [alert.kind for alert in world.ledger.alerts(9)] == ["quarantined"]
    assert world.telemetry.counts["quarantined", ()] == 1
    monkeypatch.setattr(turn, part, original)
    aborted(world)
    world.go(5)
    assert world.mesh.traffic(CHECKOUT).weight == 0
