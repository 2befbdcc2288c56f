"""Hooks: what waits for them, what does not, and what follows when they fail."""

import pytest

from delivery.machine.evolve import fold
from delivery.machine.refusal import Refusal
from delivery.machine.rules.hooks import BREATH, LATE
from delivery.machine.wake import wake
from delivery.machine.wants import wants
from delivery.model.context import Freeze
from delivery.model.effect import EnsureWorkload, Measure, RunHook, WriteTraffic
from delivery.model.event import Cause, CauseKind, HookBegun, HookEnded, Phase
from delivery.model.hold import HoldKind
from delivery.model.hook import HookState, OnFailure, Step, When
from delivery.model.ids import HOUR, MINUTE, SECOND, HookId, Micros, ReleaseId
from delivery.model.place import Mode, Place, Promotion
from delivery.model.plan import Then, placed
from delivery.model.signal import (
    Abort,
    Approve,
    Due,
    HistoryLost,
    HomeReady,
    HookAnswered,
    Pause,
    PromoteNow,
    Resume,
    StableIs,
    StableReady,
    StableUnready,
    SupersededBy,
    TurnCame,
    WorkloadMissing,
    WorkloadReady,
)
from delivery.testing.builders import BOB, CAROL, STABLE, Story, a_hook, a_plan, a_stage, a_story, an_approval

SMOKE = HookId("smoke")


def hooked(*hooks, stages=None, **plan) -> Story:
    return a_story(plan=a_plan(*(stages or (a_stage(5), a_stage(50))), hooks=hooks, **plan))


def candidates(story: Story) -> list[EnsureWorkload]:
    wanted = wants(story.release, story.context.now)
    version = story.release.candidate
    return [effect for effect in wanted if isinstance(effect, EnsureWorkload) and effect.version == version]


def runs(story: Story) -> list[tuple[str, When, int]]:
    wanted = wants(story.release, story.context.now)
    return [(one.hook, one.step.when, one.attempt) for one in wanted if isinstance(one, RunHook)]


def cause(story: Story) -> Cause:
    assert story.release.cause is not None
    return story.release.cause


class TestPoints:
    def test_nothing_of_the_candidate_is_started_before_the_hooks_at_the_start(self):
        story = hooked(a_hook("migrate"), a_hook("seed"))
        assert (candidates(story), runs(story)) == ([], [("migrate", When.START, 1)])
        story.answer()
        assert (candidates(story), runs(story)) == ([], [("seed", When.START, 1)])
        story.answer()
        assert runs(story) == []
        assert candidates(story)

    def test_the_candidates_time_to_appear_begins_after_them(self):
        story = hooked(a_hook(timeout=Micros(2 * HOUR)), appear_within=Micros(10 * MINUTE))
        story.tell(WorkloadMissing("deployment checkout-1.4.2"), after=HOUR)
        assert story.release.phase is Phase.PREPARING
        story.answer().tell(WorkloadMissing("deployment checkout-1.4.2"), after=9 * MINUTE)
        assert story.release.phase is Phase.PREPARING
        story.tell(WorkloadMissing("deployment checkout-1.4.2"), after=2 * MINUTE)
        assert cause(story).kind is CauseKind.CANDIDATE_MISSING

    def test_what_runs_now_is_looked_up_before_anything_else(self):
        story = hooked(a_hook(), mode=Mode.CLONE, home=Promotion.PATCH)
        assert runs(story) == []
        story.tell(StableIs(STABLE))
        assert runs(story) == [("migrate", When.START, 1)]

    def test_before_traffic_it_is_ready_and_has_none(self):
        story = hooked(a_hook("warm", When.TRAFFIC)).tell(WorkloadReady())
        assert story.release.phase is Phase.PREPARING
        assert runs(story) == [("warm", When.TRAFFIC, 1)]
        assert not any(isinstance(effect, WriteTraffic) for effect in wants(story.release, story.context.now))
        assert story.answer().release.phase is Phase.SHIFTING

    def test_before_a_stage_the_one_before_has_passed(self):
        story = hooked(a_hook("warm", Step(When.BEFORE, 1))).tell(WorkloadReady()).confirm()
        assert runs(story) == []
        story.tick()
        assert (story.release.stage, runs(story)) == (0, [("warm", When.BEFORE, 1)])
        assert story.answer().release.stage == 1

    def test_before_a_stage_people_have_agreed_first(self):
        stages = (a_stage(5), a_stage(50, approval=an_approval()))
        story = hooked(a_hook("warm", Step(When.BEFORE, 1)), stages=stages).tell(WorkloadReady()).confirm().tick()
        assert story.release.held(HoldKind.APPROVAL)
        assert runs(story) == []
        assert runs(story.tell(Approve(BOB))) == [("warm", When.BEFORE, 1)]

    def test_a_stages_own_hook_runs_while_it_is_measured_and_before_people_are_asked(self):
        stages = (a_stage(5, hooks=(SMOKE,)), a_stage(50, approval=an_approval()))
        story = hooked(a_hook("smoke"), stages=stages).answer().tell(WorkloadReady())
        assert runs(story) == []
        story.confirm()
        wanted = wants(story.release, story.context.now)
        assert any(isinstance(effect, Measure) for effect in wanted)
        assert runs(story) == [("smoke", When.DURING, 1)]
        story.tick()
        assert not story.release.held(HoldKind.APPROVAL)
        story.answer()
        assert story.release.held(HoldKind.APPROVAL)
        assert story.tell(Approve(BOB)).release.stage == 1

    def test_before_the_raise_to_everybody(self):
        story = hooked(a_hook("warm", When.PROMOTION), stages=(a_stage(50),)).tell(WorkloadReady()).confirm().tick()
        assert runs(story) == [("warm", When.PROMOTION, 1)]
        assert story.answer().release.phase is Phase.PROMOTING

    def test_after_everybody_has_it(self):
        story = hooked(a_hook("tell", When.PROMOTED), stages=(a_stage(50),)).tell(WorkloadReady()).confirm().tick()
        assert (story.release.phase, runs(story)) == (Phase.PROMOTING, [])
        story.confirm()
        assert (story.release.phase, runs(story)) == (Phase.PROMOTING, [("tell", When.PROMOTED, 1)])
        assert story.answer().release.phase is Phase.PROMOTED

    def test_after_its_owners_workload_runs_it(self):
        hook = a_hook("tell", When.PROMOTED)
        story = hooked(hook, stages=(a_stage(50),), mode=Mode.CLONE, home=Promotion.PATCH)
        story.tell(StableIs(STABLE), WorkloadReady(100)).confirm().tick().confirm()
        story.tell(HomeReady(story.release.candidate))
        assert runs(story) == []
        assert runs(story.confirm()) == [("tell", When.PROMOTED, 1)]

    def test_after_stable_has_everybody_again(self):
        story = hooked(a_hook("undo", When.REVERTED)).tell(WorkloadReady()).confirm().tell(Abort(BOB))
        assert runs(story) == []
        assert runs(story.confirm()) == [("undo", When.REVERTED, 1)]
        assert story.answer().release.phase is Phase.ROLLED_BACK

    def test_the_first_version_has_those_that_are_about_no_stage(self):
        hooks = (a_hook("migrate"), a_hook("warm", When.TRAFFIC, Step(When.BEFORE, 0)), a_hook("last", When.PROMOTION))
        story = a_story(stable=None, plan=a_plan(a_stage(5, hooks=(SMOKE,)), hooks=(*hooks, a_hook("smoke"))))
        story.answer().answer().tell(WorkloadReady()).answer().answer().confirm()
        called = [event.hook for event in story.events if isinstance(event, HookBegun)]
        assert called == ["migrate", "smoke", "warm", "last"]
        assert story.release.phase is Phase.PROMOTED

    def test_what_is_only_observed_waits_for_none_and_tells_its_end(self):
        plan = a_plan(a_stage(5, hooks=(SMOKE,)), hooks=(a_hook("smoke"), a_hook("tell", When.PROMOTED, When.START)))
        observed = placed(plan, Place("shop", "checkout", "checkout", Mode.OBSERVE))
        assert [(spec.id, spec.steps) for spec in observed.hooks] == [("tell", (Step(When.PROMOTED),))]
        assert observed.stages[0].hooks == ()

    def test_a_plan_that_ends_by_itself_waits_for_none(self):
        story = hooked(a_hook("warm", When.PROMOTION), stages=(a_stage(5),), then=Then.WITHDRAW)
        story.tell(WorkloadReady()).confirm().tick()
        assert (story.release.phase, runs(story)) == (Phase.ROLLING_BACK, [])

    def test_the_rollback_of_a_finished_release_waits_for_none_but_tells_its_end(self):
        hooks = (a_hook("migrate", When.START, When.TRAFFIC, When.PROMOTION), a_hook("tell", When.PROMOTED))
        plan = a_plan(hooks=hooks, appear_within=Micros(10 * MINUTE))
        story = a_story(plan=plan, rolls_back=ReleaseId("rel_0"))
        assert candidates(story)
        story.tell(WorkloadReady()).confirm().tick().confirm().tick().confirm()
        assert runs(story) == [("tell", When.PROMOTED, 1)]

    def test_its_candidates_time_to_appear_runs_from_the_beginning(self):
        story = a_story(plan=a_plan(hooks=(a_hook(),)), rolls_back=ReleaseId("rel_0"))
        story.tell(WorkloadMissing("deployment"), after=HOUR)
        assert cause(story).kind is CauseKind.CANDIDATE_MISSING


class TestFailure:
    def test_it_takes_the_release_back(self):
        story = hooked(a_hook()).answer(False, "exit code 1")
        assert cause(story).kind is CauseKind.HOOK_FAILED
        assert cause(story).reason == "migrate: exit code 1"
        assert story.confirm().release.phase is Phase.FAILED_TO_START

    def test_with_users_on_it_too(self):
        story = hooked(a_hook("warm", Step(When.BEFORE, 1))).tell(WorkloadReady()).confirm().tick().answer(False)
        assert cause(story).reason == "warm"
        assert story.confirm().release.phase is Phase.ROLLED_BACK

    def test_of_a_first_version_it_is_over_at_once(self):
        story = a_story(stable=None, plan=a_plan(hooks=(a_hook(),))).answer(False, "exit code 1")
        assert story.release.phase is Phase.FAILED_TO_START

    def test_it_is_called_again_after_a_breath_and_not_more_often_than_allowed(self):
        story = hooked(a_hook(retries=1)).answer(False, "exit code 1")
        assert (story.release.phase, runs(story)) == (Phase.PREPARING, [])
        story.tell(Due(), after=BREATH // 2)
        assert runs(story) == []
        story.tell(Due(), after=BREATH)
        assert runs(story) == [("migrate", When.START, 2)]
        assert story.answer(False).release.phase is Phase.ROLLING_BACK

    def test_what_has_not_ended_in_time_has_failed(self):
        story = hooked(a_hook(timeout=Micros(MINUTE), retries=1))
        story.answer(None, after=MINUTE - 1)
        assert runs(story)
        story.answer(None, after=1)
        assert isinstance(story.events[-1], HookEnded)
        assert (story.events[-1].detail, story.events[-1].again) == (LATE, True)

    def test_with_the_reason_where_it_could_not_be_asked(self):
        story = hooked(a_hook(timeout=Micros(MINUTE))).answer(None, "connection refused", after=MINUTE)
        assert cause(story).reason == "migrate: connection refused"

    def test_time_alone_says_nothing_because_we_may_have_been_away(self):
        story = hooked(a_hook(timeout=Micros(MINUTE))).tell(Due(), after=HOUR)
        assert runs(story) == [("migrate", When.START, 1)]
        assert story.answer().release.hooks[0].state is HookState.PASSED

    def test_the_next_attempt_has_the_whole_time(self):
        story = hooked(a_hook(timeout=Micros(MINUTE), retries=1)).answer(None, after=MINUTE).tell(Due(), after=BREATH)
        assert story.answer(None, after=MINUTE - 1).release.phase is Phase.PREPARING
        assert story.answer(None, after=1).release.phase is Phase.ROLLING_BACK

    def test_it_holds_and_asks_where_it_is_to(self):
        story = hooked(a_hook(on_failure=OnFailure.ASK)).answer(False, "exit code 1")
        (hold,) = story.release.holds
        assert (hold.kind, hold.detail) == (HoldKind.HOOK, "migrate: exit code 1")
        assert story.tell(Due(), after=HOUR).release.phase is Phase.PREPARING
        with pytest.raises(Refusal, match="takes a reason"):
            story.tell(Resume(BOB, holds=(HoldKind.HOOK,)))
        with pytest.raises(Refusal, match="held by hook"):
            story.tell(PromoteNow(BOB))
        story.tell(Resume(BOB, "done by hand", holds=(HoldKind.HOOK,)))
        assert story.release.hooks[0].state is HookState.WAIVED
        assert candidates(story)
        assert story.tell(WorkloadReady()).release.phase is Phase.SHIFTING

    def test_a_person_may_go_back_instead(self):
        story = hooked(a_hook(on_failure=OnFailure.ASK)).answer(False).tell(Abort(BOB)).confirm()
        assert story.release.phase is Phase.CANCELLED

    @pytest.mark.parametrize("end", [Phase.PROMOTED, Phase.ROLLED_BACK])
    def test_after_everything_it_is_told_and_changes_nothing(self, end):
        story = hooked(a_hook("tell", When.PROMOTED, When.REVERTED), stages=(a_stage(50),))
        story.tell(WorkloadReady()).confirm()
        story.tick() if end is Phase.PROMOTED else story.tell(Abort(BOB))
        story.confirm().answer(False, "no route to host")
        assert story.release.phase is end
        ended = [event for event in story.events if isinstance(event, HookEnded)]
        assert [(event.ok, event.again, event.detail) for event in ended] == [(False, False, "no route to host")]


class TestAnswers:
    def test_one_that_comes_twice_says_nothing_more(self):
        story = hooked(a_hook(), a_hook("seed"))
        answer = HookAnswered(HookId("migrate"), Step(When.START), 1, ok=True)
        story.tell(answer, answer)
        assert [event.hook for event in story.events if isinstance(event, HookEnded)] == ["migrate"]

    def test_one_of_an_earlier_attempt_says_nothing(self):
        story = hooked(a_hook(retries=1)).answer(False).tell(Due(), after=BREATH)
        story.tell(HookAnswered(HookId("migrate"), Step(When.START), 1, ok=True))
        assert runs(story) == [("migrate", When.START, 2)]

    def test_one_of_another_point_says_nothing(self):
        story = hooked(a_hook("migrate", When.START, When.TRAFFIC))
        story.tell(HookAnswered(HookId("migrate"), Step(When.TRAFFIC), 1, ok=True))
        assert runs(story) == [("migrate", When.START, 1)]


class TestReverts:
    """None waits for a hook."""

    @pytest.mark.parametrize("back", [Abort(BOB), SupersededBy(ReleaseId("rel_2"))])
    def test_at_once_while_one_runs(self, back):
        story = hooked(a_hook("smoke"), stages=(a_stage(5, hooks=(SMOKE,)), a_stage(50))).answer()
        story.tell(WorkloadReady()).confirm().tell(back)
        assert (story.release.phase, runs(story)) == (Phase.ROLLING_BACK, [])
        assert story.release.hooks[-1].state is HookState.LEFT
        story.answer(False)
        assert cause(story).kind is not CauseKind.HOOK_FAILED
        assert story.confirm().release.phase.closed

    def test_while_one_is_about_to_be_called_again(self):
        story = hooked(a_hook(retries=3)).answer(False).tell(Abort(BOB)).tell(Due(), after=HOUR)
        assert runs(story) == []
        assert story.confirm().release.phase is Phase.CANCELLED

    def test_while_the_one_after_the_promotion_runs(self):
        story = hooked(a_hook("tell", When.PROMOTED), stages=(a_stage(50),)).tell(WorkloadReady()).confirm().tick()
        story.confirm().tell(Abort(BOB)).confirm()
        assert story.release.phase is Phase.ROLLED_BACK

    def test_users_that_had_to_stay_are_no_end(self):
        story = hooked(a_hook("undo", When.REVERTED)).tell(WorkloadReady()).confirm()
        story.tell(StableUnready("0 of 3 pods"), Abort(BOB)).confirm()
        assert (story.release.stay, runs(story)) == (True, [])
        assert runs(story.tell(StableReady()).confirm()) == [("undo", When.REVERTED, 1)]


class TestHolds:
    def test_none_begins_while_it_is_held(self):
        story = a_story(started=True, plan=a_plan(hooks=(a_hook("warm", When.TRAFFIC),)))
        story.tell(Pause(BOB)).tell(WorkloadReady())
        assert runs(story) == []
        assert runs(story.tell(Resume(BOB))) == [("warm", When.TRAFFIC, 1)]

    def test_nor_in_a_freeze(self):
        story = a_story(started=False, plan=a_plan(hooks=(a_hook(),)))
        now = story.context.now
        story.where(freeze=Freeze("weekend", now, Micros(now + HOUR)))
        story.tell(TurnCame(STABLE))
        assert (runs(story), candidates(story)) == ([], [])
        assert runs(story.where(freeze=None).tell(Due())) == [("migrate", When.START, 1)]

    def test_one_that_runs_is_not_stopped(self):
        story = hooked(a_hook()).tell(Pause(BOB))
        assert runs(story) == [("migrate", When.START, 1)]
        assert story.answer().release.hooks[0].state is HookState.PASSED

    def test_a_person_who_promotes_skips_those_of_the_stages(self):
        stages = (a_stage(5, hooks=(SMOKE,)), a_stage(50))
        hooks = (a_hook("smoke"), a_hook("warm", Step(When.BEFORE, 1)), a_hook("last", When.PROMOTION))
        story = hooked(*hooks, stages=stages).answer().tell(WorkloadReady()).confirm().tell(PromoteNow(CAROL))
        assert runs(story) == [("last", When.PROMOTION, 1)]
        assert story.answer().release.phase is Phase.PROMOTING

    def test_lost_history_enters_the_stage_anew_and_calls_nobody_twice(self):
        stages = (a_stage(5, hooks=(SMOKE,)), a_stage(50))
        story = hooked(a_hook("smoke"), stages=stages).answer().tell(WorkloadReady()).confirm()
        story.tell(HistoryLost("the stamp of event 12", 5))
        story.tell(Resume(BOB, "looked", admin=True, holds=(HoldKind.HISTORY_LOST,)))
        assert (story.release.phase, runs(story)) == (Phase.SHIFTING, [])
        story.confirm()
        assert runs(story) == [("smoke", When.DURING, 1)]


def test_wake_knows_when_its_time_is_over_and_when_it_is_called_again():
    story = hooked(a_hook(timeout=Micros(3 * SECOND), retries=1))
    begun = story.release.hooks[0].begun
    story.where(now=Micros(begun + 2 * SECOND))
    due = wake(story.release, story.context)
    assert (due.at, due.why) == (begun + 3 * SECOND, "hook migrate")
    story.answer(False)
    due = wake(story.release, story.context)
    assert (due.at, due.why) == (story.release.at + BREATH, "the next attempt of hook migrate")


def test_the_state_is_the_fold_of_what_was_told():
    story = hooked(a_hook(retries=1), a_hook("tell", When.PROMOTED)).answer(False).tell(Due(), after=BREATH).answer()
    story.tell(WorkloadReady()).confirm().tick().confirm().tick().confirm().answer()
    assert story.release.phase is Phase.PROMOTED
    assert fold(story.events) == story.release
    assert [(run.hook, run.attempt, run.state.value) for run in story.release.hooks] == [
        ("migrate", 2, "passed"),
        ("tell", 1, "passed"),
    ]
