import pytest

from delivery.machine import evolve as evolving
from delivery.machine.evolve import evolve, fold
from delivery.model import event as events
from delivery.model.event import EVENTS, Cause, CauseKind, Level, Phase
from delivery.model.hold import Hold, HoldKind
from delivery.model.hook import Step, When
from delivery.model.ids import GateId, HookId, Micros
from delivery.testing.builders import (
    BOB,
    NOW,
    STABLE,
    Story,
    a_created,
    a_judgement,
    a_plan,
    a_release,
    a_stage,
    a_story_in,
)

LATER = Micros(NOW + 60_000_000)
MIGRATE, START = HookId("migrate"), Step(When.START)
CAUSE = Cause(CauseKind.ABORTED, BOB)
ONE_OF_EACH = (
    events.Started(at=LATER, stable=STABLE),
    events.CandidateReady(at=LATER),
    events.StageEntered(at=LATER, stage=0),
    events.TrafficConfirmed(at=LATER, dseq=4, level=Level.ACKED),
    events.VerdictChanged(at=LATER, judgement=a_judgement(), tick=1, evidence="e"),
    events.Approved(at=LATER, stage=1, dseq=4, actor=BOB),
    events.Rejected(at=LATER, stage=1, dseq=4, actor=BOB),
    events.HoldPlaced(at=LATER, hold=Hold(HoldKind.PAUSE, LATER)),
    events.HoldLifted(at=LATER, kind=HoldKind.PAUSE),
    events.StagePassed(
        at=LATER, stage=0, why="baked", baked=Micros(1), requests=1, first_tick=1, last_tick=2, evidence="e"
    ),
    events.StageSkipped(at=LATER, stage=0, actor=BOB),
    events.PromotionBegun(at=LATER, cause=CAUSE),
    events.Promoted(at=LATER),
    events.RollbackBegun(at=LATER, cause=CAUSE, then=Phase.ROLLED_BACK),
    events.Closed(at=LATER, phase=Phase.ROLLED_BACK, cause=CAUSE),
    events.DriftCorrected(at=LATER, detail="weight 50"),
    events.MeshFailing(at=LATER, detail="connection refused"),
    events.MeshRecovered(at=LATER),
    events.HistoryLost(at=LATER, detail="stamp of event 12", live_weight=1),
    events.StableFound(at=LATER, stable=STABLE),
    events.HomeBegun(at=LATER),
    events.HomeEntered(at=LATER),
    events.HomeRestored(at=LATER),
    events.OverrideApproved(at=LATER, kind=HoldKind.PAUSE, actor=BOB),
    events.HookBegun(at=LATER, hook=MIGRATE, step=START, attempt=1),
    events.HookEnded(at=LATER, hook=MIGRATE, step=START, attempt=1, ok=True),
    events.BaselineReady(at=LATER, share=5),
    events.BaselineLost(at=LATER, had_share=True, detail="0 of 1 pods"),
)


def test_every_event_is_applied_in_every_phase():
    """Total: a history that other rules wrote can always be folded."""
    assert {type(event) for event in ONE_OF_EACH} == set(EVENTS) - {events.Created}
    for phase in Phase:
        release = a_release(phase)
        for event in ONE_OF_EACH:
            after = evolve(release, event)
            assert (after.seq, after.at) == (release.seq + 1, LATER)


def test_only_those_that_desire_other_traffic_move_dseq():
    release = a_release(Phase.BAKING)
    moving = {type(event) for event in ONE_OF_EACH if evolve(release, event).dseq != release.dseq}
    assert moving == {
        events.StageEntered,
        events.PromotionBegun,
        events.HomeEntered,
        events.RollbackBegun,
        events.BaselineLost,
    }
    assert {evolve(release, event).dseq for event in ONE_OF_EACH if type(event) in moving} == {release.seq + 1}


def test_a_history_begins_with_created_and_has_one():
    with pytest.raises(ValueError, match="begins with Created"):
        fold([ONE_OF_EACH[0]])
    with pytest.raises(ValueError, match="created twice"):
        fold([a_created(), a_created()])
    with pytest.raises(ValueError, match="without events"):
        fold([])


def test_fold_is_the_state_after_the_last_event():
    story = a_story_in(Phase.PROMOTED)
    assert fold(story.events) == story.release


def test_evolve_asks_no_rule():
    """Else a later rule would change what old events mean."""
    imported = {value.__module__ for value in vars(evolving).values() if hasattr(value, "__module__")}
    assert {name for name in imported if name.startswith("delivery.machine")} == {
        "delivery.machine.deadlines",
        "delivery.machine.evolve",
    }


def test_entering_a_stage_begins_everything_of_a_stage_anew():
    story = a_story_in(Phase.BAKING)
    verdict = events.VerdictChanged(at=LATER, judgement=a_judgement(), tick=1, evidence="e")
    lifted = events.HoldLifted(at=LATER, kind=HoldKind.LOW_TRAFFIC, by=BOB)
    before = evolve(evolve(story.release, verdict), lifted)
    assert (set(before.verdicts), before.waived) == ({GateId("errors")}, (HoldKind.LOW_TRAFFIC,))
    after = evolve(before, events.StageEntered(at=LATER, stage=1))
    assert (after.phase, after.stage, after.verdicts, after.waived) == (Phase.SHIFTING, 1, {}, ())
    assert (after.confirmed_at, after.level, after.entered_at) == (0, None, LATER)
    assert after.deadline_left == after.plan.stages[1].deadline
    assert (after.exposed, after.shifted_at) == (50, before.shifted_at)


def test_a_condition_that_ends_by_itself_waives_nothing():
    placed = evolve(a_release(), events.HoldPlaced(at=LATER, hold=Hold(HoldKind.NO_DATA, LATER)))
    assert evolve(placed, events.HoldLifted(at=LATER, kind=HoldKind.NO_DATA)).waived == ()
    assert evolve(placed, events.HoldLifted(at=LATER, kind=HoldKind.NO_DATA, by=BOB)).waived == (HoldKind.NO_DATA,)


def test_a_hold_of_the_same_kind_is_replaced():
    placed = evolve(a_release(), events.HoldPlaced(at=LATER, hold=Hold(HoldKind.NO_DATA, LATER, "errors")))
    again = evolve(placed, events.HoldPlaced(at=LATER, hold=Hold(HoldKind.NO_DATA, LATER, "latency")))
    assert [hold.detail for hold in again.holds] == ["latency"]


def test_a_revert_forgets_what_only_mattered_for_the_way_up():
    release = a_release()
    for kind in HoldKind:
        release = evolve(release, events.HoldPlaced(at=LATER, hold=Hold(kind, LATER)))
    after = evolve(release, events.RollbackBegun(at=LATER, cause=CAUSE, then=Phase.ROLLED_BACK))
    kept = {HoldKind.STABLE_UNREADY, HoldKind.HISTORY_LOST, HoldKind.QUARANTINED}
    assert {hold.kind for hold in after.holds} == kept
    assert evolve(after, events.Closed(at=LATER, phase=Phase.ROLLED_BACK, cause=CAUSE)).holds == ()


def test_exposed_is_the_most_that_was_ever_desired():
    story: Story = a_story_in(Phase.BAKING, plan=a_plan(a_stage(50), a_stage(50)))
    assert story.release.exposed == 50
    assert evolve(story.release, events.PromotionBegun(at=LATER, cause=CAUSE)).exposed == 100
    back = evolve(story.release, events.RollbackBegun(at=LATER, cause=CAUSE, then=Phase.ROLLED_BACK))
    assert back.exposed == 50


def test_few_corrections_are_remembered():
    release = a_release()
    for second in range(40):
        release = evolve(release, events.DriftCorrected(at=Micros(LATER + second), detail="weight 50"))
    assert len(release.drifts) == evolving.DRIFTS_KEPT
    assert release.drifts[-1] == LATER + 39
