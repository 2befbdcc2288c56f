"""What a step means for the target: the stable pointer, the queue, what is retired, what is remembered."""

import pytest

from delivery.machine.advance import REJECTED_KEPT, advance, tell
from delivery.machine.quarantine import force_abort
from delivery.machine.refusal import Refusal
from delivery.model import signal as s
from delivery.model.context import Context
from delivery.model.event import CauseKind, Level, Phase, Promoted, Started
from delivery.model.hold import HoldKind
from delivery.model.ids import HOUR, Micros
from delivery.model.plan import Plan, Then
from delivery.model.target import Retiring
from delivery.model.verdict import Verdict
from delivery.testing.builders import (
    BOB,
    CANDIDATE,
    NOW,
    STABLE,
    TargetStory,
    a_plan,
    a_release,
    a_stage,
    a_target,
    a_version,
    a_world,
)

NEXT = a_version("1.4.3")


def running(plan: Plan | None = None) -> TargetStory:
    """1.4.2 has its first 5 percent."""
    story = a_target(plan=plan)
    story.ask()
    return story.tell(s.WorkloadReady()).confirm()


class TestPromoted:
    def test_the_pointer_moves_with_the_event_and_the_old_version_stays_for_its_window(self):
        story = running()
        while story.world.target.active:
            assert story.world.target.stable == STABLE
            story.tick() if story.active.phase is Phase.BAKING else story.confirm()
        target, at = story.world.target, story.moves[-1].event.at
        assert isinstance(story.moves[-1].event, Promoted)
        assert (target.stable, target.active, target.last) == (CANDIDATE, None, "rel_1")
        (kept,) = target.retiring
        assert (kept.version, kept.after, kept.kept_for is not None) == (STABLE, at + HOUR, True)

    def test_a_first_version_leaves_nothing_behind(self):
        story = a_target(stable=None)
        story.ask()
        story.promote()
        assert (story.world.target.stable, story.world.target.retiring) == (CANDIDATE, ())

    def test_the_next_one_starts_in_the_same_change_against_the_new_stable(self):
        story = running()
        story.ask(NEXT)
        before = len(story.moves)
        story.act(s.PromoteNow(BOB))
        story.confirm()
        names = [type(move.event).__name__ for move in story.moves[before:]]
        assert names[-3:] == ["TrafficConfirmed", "Promoted", "Started"]
        started = story.moves[-1].event
        assert isinstance(started, Started)
        assert started.stable == CANDIDATE
        assert story.active.candidate == NEXT

    def test_what_came_back_by_retry_and_is_good_is_not_bad_any_more(self):
        story = running().tick(Verdict.FAIL).confirm()
        assert story.world.target.rejected == (CANDIDATE.identity,)
        assert story.again(story.release(1).id, back=False).outcome == "release"
        assert story.promote().world.target.rejected == ()


class TestNotPromoted:
    def test_the_candidate_goes_at_once_and_is_remembered(self):
        story = running().tick(Verdict.FAIL)
        assert story.world.target.retiring == (), "it still has traffic"
        story.confirm()
        target = story.world.target
        assert (target.stable, target.active, target.last) == (STABLE, None, "rel_1")
        assert target.retiring == (Retiring(CANDIDATE, story.release(1).at),)
        assert target.rejected == (CANDIDATE.identity,)

    @pytest.mark.parametrize(
        ("happens", "cause"),
        [
            (s.StableAgain(BOB), CauseKind.STABLE_AGAIN),
            (s.WorkloadMissing("deployment"), CauseKind.CANDIDATE_MISSING),
            (s.WorkloadFailing("exit code 1"), CauseKind.CANDIDATE_FAILING),
        ],
    )
    def test_ends_that_are_not_its_fault_are_not_held_against_it(self, happens, cause):
        story = a_target()
        story.ask()
        story.tell(happens, after=HOUR).confirm()
        release = story.release(1)
        assert release.phase.closed
        assert release.cause is not None
        assert release.cause.kind is cause
        assert story.world.target.rejected == ()

    def test_the_end_that_its_plan_foresaw_is_not_either(self):
        story = running(a_plan(a_stage(5), then=Then.WITHDRAW)).tick().confirm()
        assert story.release(1).phase is Phase.WITHDRAWN
        assert story.world.target.rejected == ()

    def test_what_a_person_turned_down_is(self):
        story = running()
        story.act(s.Abort(BOB))
        story.confirm()
        assert story.world.target.rejected == (CANDIDATE.identity,)

    def test_cancelled_in_the_queue_it_is_neither_retired_nor_back_by_a_late_event(self):
        story = running()
        story.ask(NEXT)
        story.act(s.Abort(BOB), story.release(2).id)
        target = story.world.target
        assert (target.queue, target.retiring, target.rejected) == ((), (), (NEXT.identity,))
        assert target.active == "rel_1"

    def test_few_are_remembered(self):
        known = tuple(f"sha256:{number}" for number in range(REJECTED_KEPT))
        story = a_target(rejected=known)
        story.ask()
        story.act(s.Abort(BOB))
        story.confirm()
        assert story.world.target.rejected == (*known[1:], CANDIDATE.identity)


class TestTheQueue:
    def test_one_that_became_stable_meanwhile_has_nothing_to_do(self):
        waiting = a_release(Phase.QUEUED, release="rel_2", number=2, candidate=CANDIDATE)
        active = a_release(Phase.PROMOTING)
        world = a_world(active, waiting, queue=(waiting.id,))
        change = tell(world, active.id, s.Confirmed(active.dseq, Level.ACKED), Context(Micros(NOW + HOUR)))
        assert (change.world.target.active, change.world.target.queue) == (None, ())
        assert change.world.releases[waiting.id].phase is Phase.CANCELLED

    def test_it_starts_by_itself_where_nothing_runs(self):
        """As after a quarantine, whose way back skips the rules."""
        waiting = a_release(Phase.QUEUED)
        change = advance(a_world(None, waiting, queue=(waiting.id,)), s.Due(), Context(NOW))
        assert change.world.target.active == waiting.id

    def test_a_signal_where_nothing_runs_changes_nothing(self):
        assert advance(a_world(), s.MeshUp(), Context(NOW)).moves == ()

    def test_what_is_used_again_is_not_retired(self):
        story = running().tick(Verdict.FAIL).confirm()
        assert story.world.target.retiring
        story.again(story.release(1).id, back=False)
        assert story.world.target.retiring == ()

    def test_paused_while_it_waits_it_prepares_and_does_not_rise(self):
        story = running()
        story.ask(NEXT)
        story.act(s.Pause(BOB), story.release(2).id)
        story.act(s.PromoteNow(BOB))
        story.confirm().tell(s.WorkloadReady())
        assert (story.active.number, story.active.phase) == (2, Phase.PREPARING)
        assert story.active.held(HoldKind.PAUSE)


class TestQuarantine:
    def test_the_way_back_needs_no_rule(self):
        story = running()
        change = force_abort(story.world, s.Abort(BOB, "poisoned"), story.context)
        (move,) = change.moves
        assert (move.after.phase, move.after.then) == (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
        assert change.world.active == move.after
        after = advance(change.world, s.Confirmed(move.after.dseq, Level.ACKED), story.context)
        assert after.world.target.active is None

    def test_a_first_version_without_traffic_is_over(self):
        story = a_target(stable=None)
        story.ask()
        change = force_abort(story.world, s.Abort(BOB), story.context)
        assert change.world.target.active is None

    def test_it_is_refused_where_nothing_runs_or_it_is_on_its_way(self):
        with pytest.raises(Refusal, match="no release"):
            force_abort(a_world(), s.Abort(BOB), Context(NOW))
        with pytest.raises(Refusal, match="already"):
            force_abort(a_world(a_release(Phase.ROLLING_BACK)), s.Abort(BOB), Context(NOW))
