"""Clocks that jump, an API that is away for an hour, and verdicts that are found again in what was stored."""

from collections.abc import Iterator

import pytest

from delivery.adapters.ledger.sql import upgrade
from delivery.engine.drain import LEASE
from delivery.engine.measure import Measurer
from delivery.model.codec import canon, link
from delivery.model.event import Phase, RollbackBegun, StagePassed, VerdictChanged
from delivery.model.ids import Principal, ReleaseId
from delivery.model.signal import Abort
from delivery.model.verdict import Verdict
from delivery.wiring import build_gate
from tests.integration.engine_fleet import Fleet, Time

HOUR = 3600
NAME = "checkout"


@pytest.fixture
def fleet(each_database: str) -> Iterator[Fleet]:
    upgrade(each_database)
    made = Fleet(each_database, Time())
    try:
        made.serve(NAME)
        made.release(NAME)
        made.until_baking(NAME)
        yield made
    finally:
        made.close()


def passed(fleet: Fleet, release: ReleaseId) -> list[StagePassed]:
    return [event for event in fleet.events(release) if isinstance(event, StagePassed)]


def test_a_clock_that_jumps_an_hour_passes_no_stage(fleet: Fleet) -> None:
    release = fleet.running(NAME).id
    fleet.go(3)
    fleet.time.step(HOUR)
    fleet.go(2)
    assert (passed(fleet, release), fleet.weight(NAME)) == ([], 20)
    fleet.go(30)
    assert fleet.running(NAME).phase is Phase.PROMOTED
    for event in passed(fleet, release):
        assert event.last_tick - event.first_tick >= 8, "ten seconds of bake, and no tick counts for more than two"


def test_a_clock_that_goes_back_an_hour_with_leases_out_stops_nothing(fleet: Fleet) -> None:
    release = fleet.running(NAME).id
    fleet.time.go(2)
    assert fleet.ledger.claim(["local"], "a worker that dies", LEASE, 10) == (f"{NAME}@local",)
    fleet.time.step(-HOUR)
    fleet.go(60)
    assert fleet.running(NAME).phase is Phase.PROMOTED
    times = [event.at for event in fleet.events(release)]
    assert times == sorted(times)


def test_an_hour_without_the_mesh_delays_a_revert_by_seconds_and_writes_no_history(fleet: Fleet) -> None:
    release = fleet.running(NAME).id
    fleet.mesh.down = True
    assert fleet.say(release, Abort(Principal("bob"), "errors")).outcome == "signal"
    fleet.go(10)
    begun = len(fleet.events(release))
    for _ in range(HOUR // 10):
        fleet.time.go(10)
        fleet.drain.run(1.0)
    assert len(fleet.events(release)) == begun, "events grow with transitions and not with attempts"
    assert fleet.weight(NAME) == 20
    fleet.mesh.down = False
    fleet.go(5)
    assert (fleet.weight(NAME), fleet.running(NAME).phase) == (0, Phase.ROLLED_BACK)


def test_verdicts_and_evidence_are_found_again_in_the_stored_ticks(fleet: Fleet) -> None:
    release = fleet.running(NAME)
    fleet.go(14)
    fleet.metrics.bad.add("1.4.2")
    fleet.go(40)
    events = fleet.events(release.id)
    told = [event for event in events if isinstance(event, VerdictChanged)]
    assert [event for event in events if isinstance(event, RollbackBegun)]
    assert told[-1].judgement.verdict is Verdict.FAIL
    gates, states, evidence = Measurer(build_gate).gates(release), dict[str, object](), ""
    found = {}
    for tick in fleet.ledger.ticks(release.id):
        evidence = link(evidence, canon(tick))
        for gate in release.plan.stages[tick.stage].gates:
            states[gate] = gates[gate].add(states.get(gate, gates[gate].start()), tick)  # type: ignore[arg-type]
            found[tick.number, gate] = (gates[gate].judge(states[gate]), evidence)  # type: ignore[arg-type]
    (stage,) = passed(fleet, release.id)
    assert stage.judgements
    assert all(found[stage.last_tick, one.gate] == (one, stage.evidence) for one in stage.judgements)
    for event in told:
        assert found[event.tick, event.judgement.gate] == (event.judgement, event.evidence)
