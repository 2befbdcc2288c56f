from dataclasses import replace

import pytest

from delivery.machine import holds
from delivery.machine.deadlines import left
from delivery.model import signal as s
from delivery.model.context import Freeze, Stop
from delivery.model.event import CauseKind, HoldLifted, HoldPlaced, Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import HOUR, MINUTE, SECOND, Micros, ReleaseId
from delivery.model.plan import Limit, Plan, Then
from delivery.model.verdict import Verdict
from delivery.testing.builders import BOB, CAROL, NOW, a_plan, a_stage, a_story, a_story_in, an_approval

WINDOW = Freeze("weekend", NOW, Micros(NOW + 60 * HOUR))
STOP = Stop(CAROL, "incident 7", NOW)


def test_every_kind_has_its_rule():
    assert set(holds.HOLDS) == set(HoldKind)
    assert all(rule.ends for rule in holds.HOLDS.values())


class TestSurroundings:
    def test_a_freeze_is_recorded_with_its_end_and_gone_when_it_is(self):
        story = a_story_in(Phase.BAKING).where(freeze=WINDOW).tell(s.Due(), s.Due())
        (placed,) = [event.hold for event in story.events if isinstance(event, HoldPlaced)]
        assert (placed.kind, placed.detail, placed.until) == (HoldKind.FREEZE, "weekend", WINDOW.end)
        story.tick()
        assert story.release.phase is Phase.BAKING
        story.where(freeze=None).tell(s.Due())
        assert (story.release.phase, story.release.stage) == (Phase.SHIFTING, 1)
        (lifted,) = [event for event in story.events if isinstance(event, HoldLifted)]
        assert (lifted.kind, lifted.by) == (HoldKind.FREEZE, None)

    def test_a_window_that_grows_is_said_again_but_began_when_it_began(self):
        story = a_story_in(Phase.BAKING).where(freeze=WINDOW).tell(s.Due())
        story.where(freeze=replace(WINDOW, end=Micros(WINDOW.end + HOUR))).tell(s.Due())
        assert [hold.until for hold in story.release.holds] == [WINDOW.end + HOUR]

    def test_a_stop_names_who_and_why(self):
        story = a_story_in(Phase.BAKING).where(stop=STOP).tell(s.Due())
        (hold,) = story.release.holds
        assert (hold.kind, hold.by, hold.detail) == (HoldKind.STOP, CAROL, "incident 7")
        assert story.where(stop=None).tell(s.Due()).release.holds == ()

    def test_the_way_into_the_first_stage_is_held_too(self):
        story = a_story().where(freeze=WINDOW).tell(s.WorkloadReady())
        assert (story.release.phase, story.release.ready) == (Phase.PREPARING, True)

    def test_holds_compose(self):
        story = a_story_in(Phase.BAKING, plan=a_plan(a_stage(5), a_stage(50, approval=an_approval())))
        story.tell(s.Pause(BOB)).where(freeze=WINDOW, stop=STOP).tick()
        assert [hold.kind for hold in story.release.holds] == [
            HoldKind.PAUSE,
            HoldKind.FREEZE,
            HoldKind.STOP,
            HoldKind.APPROVAL,
        ]
        story.where(freeze=None).tell(s.Due(), s.Approve(CAROL), s.Resume(BOB))
        assert [hold.kind for hold in story.release.holds] == [HoldKind.STOP]
        story.where(stop=None).tell(s.Due())
        assert story.release.stage == 1

    @pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.PROMOTING, Phase.ROLLING_BACK, Phase.PROMOTED])
    def test_they_are_nothing_to_a_release_that_does_not_rise(self, phase):
        story = a_story_in(phase).where(freeze=WINDOW, stop=STOP).tell(s.Due())
        assert story.release.holds == ()

    def test_the_rollback_of_a_finished_release_is_free_of_them(self):
        story = a_story(plan=Plan(stages=()), rolls_back=ReleaseId("rel_0"))
        story.where(freeze=WINDOW, stop=STOP).tell(s.WorkloadReady())
        assert story.release.phase is Phase.PROMOTING
        assert story.release.cause is not None
        assert (story.release.cause.kind, story.release.cause.other) == (CauseKind.ROLLBACK, "rel_0")

    def test_and_of_approvals(self):
        plan = a_plan(a_stage(5, approval=an_approval()), promotion=an_approval())
        story = a_story(plan=plan, rolls_back=ReleaseId("rel_0")).tell(s.WorkloadReady()).confirm().tick()
        assert story.release.phase is Phase.PROMOTING


class TestApprovalWaits:
    PLAN = a_plan(a_stage(5), a_stage(50, approval=an_approval(expires=Micros(HOUR))))

    def test_it_is_asked_for_when_the_stage_has_passed_and_expires_from_then(self):
        story = a_story_in(Phase.BAKING, plan=self.PLAN)
        assert not story.release.held(HoldKind.APPROVAL)
        story.tick()
        (hold,) = story.release.holds
        assert hold.until == story.release.at + HOUR
        story.tick(after=50 * MINUTE)
        assert story.release.holds == (hold,)

    def test_expired_it_goes_back(self):
        story = a_story_in(Phase.BAKING, plan=self.PLAN).tick().tell(s.Due(), after=HOUR)
        assert (story.release.phase, story.release.then) == (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
        assert story.release.cause is not None
        assert story.release.cause.kind is CauseKind.APPROVAL_EXPIRED

    def test_an_expired_question_at_the_end_is_withdrawn(self):
        plan = a_plan(a_stage(5), then=Then.ASK, promotion=an_approval(expires=Micros(HOUR)))
        story = a_story_in(Phase.BAKING, plan=plan).tick().tell(s.Due(), after=HOUR)
        assert story.release.then is Phase.WITHDRAWN

    def test_without_an_end_it_waits_for_ever(self):
        plan = a_plan(a_stage(5), then=Then.ASK)
        story = a_story_in(Phase.BAKING, plan=plan).tick().tell(s.Due(), after=1000 * HOUR)
        assert story.release.held(HoldKind.APPROVAL)

    def test_while_it_waits_a_gate_may_still_fail(self):
        story = a_story_in(Phase.BAKING, plan=self.PLAN).tick().tick(Verdict.FAIL)
        assert story.release.phase is Phase.ROLLING_BACK


class TestOwnLimits:
    """Holds for want of measurements."""

    def test_at_the_limit_people_are_asked_once(self):
        story = a_story_in(Phase.BAKING).tick(Verdict.NO_DATA)
        assert story.release.holds[0].until == story.release.at + story.release.plan.hold_limit
        story.tell(s.Due(), after=11 * MINUTE).tell(s.Due(), after=HOUR)
        assert story.said.count("HoldPlaced") == 2
        assert [hold.until for hold in story.release.holds] == [None]
        assert story.release.phase is Phase.BAKING

    @pytest.mark.parametrize(
        ("tick", "cause"),
        [
            ({"verdict": Verdict.NO_DATA}, CauseKind.NO_DATA),
            ({"verdict": Verdict.INCONCLUSIVE}, CauseKind.INCONCLUSIVE),
            ({"requests": 3}, CauseKind.LOW_TRAFFIC),
        ],
    )
    def test_or_it_goes_back_where_the_service_says_so(self, tick, cause):
        story = a_story_in(Phase.BAKING, plan=a_plan(at_limit=Limit.REVERT))
        story.tick(after=31 * MINUTE, **tick).tell(s.Due(), after=11 * MINUTE)
        assert story.release.then is Phase.ROLLED_BACK
        assert story.release.cause is not None
        assert story.release.cause.kind is cause

    def test_just_before_the_limit_nothing_happens(self):
        story = a_story_in(Phase.BAKING, plan=a_plan(at_limit=Limit.REVERT)).tick(Verdict.NO_DATA)
        story.tell(s.Due(), after=10 * MINUTE - SECOND)
        assert story.release.phase is Phase.BAKING


class TestTheClock:
    """The stage's deadline stands still just from when to when something stops it."""

    def test_it_runs_while_nothing_holds(self):
        story = a_story_in(Phase.BAKING)
        entered = story.release.entered_at
        assert left(story.release, Micros(entered + 10 * MINUTE)) == 20 * MINUTE
        assert left(story.release, Micros(entered + 40 * MINUTE)) == 0

    @pytest.mark.parametrize("kind", ["pause", "freeze", "stop"])
    def test_a_hold_stops_it(self, kind):
        story = a_story_in(Phase.BAKING)
        so_far = story.context.now + SECOND - story.release.entered_at
        if kind == "pause":
            story.tell(s.Pause(BOB))
        else:
            story.where(**{kind: {"freeze": WINDOW, "stop": STOP}[kind]}).tell(s.Due())
        assert left(story.release, Micros(NOW + 9 * HOUR)) == 30 * MINUTE - so_far
        story.where(now=Micros(NOW + 9 * HOUR), freeze=None, stop=None)
        story.tell(s.Resume(BOB) if kind == "pause" else s.Due(), after=0)
        assert left(story.release, Micros(story.release.at + MINUTE)) == 29 * MINUTE - so_far

    def test_two_holds_stop_it_once(self):
        story = a_story_in(Phase.BAKING).tell(s.Pause(BOB))
        stopped = left(story.release, story.release.at)
        story.where(freeze=WINDOW).tell(s.Due(), after=HOUR)
        story.where(freeze=None).tell(s.Due(), after=HOUR)
        assert left(story.release, Micros(story.release.at + HOUR)) == stopped

    def test_a_stage_that_passed_has_no_deadline(self):
        story = a_story_in(Phase.BAKING).tell(s.Pause(BOB)).tick().tell(s.Due(), after=HOUR)
        assert story.release.passed == 0
        story.where(freeze=WINDOW).tell(s.Resume(BOB)).tick(after=HOUR)
        assert [hold.kind for hold in story.release.holds] == [HoldKind.FREEZE]

    def test_unproven_by_its_deadline_it_calls_for_people_and_judges_nothing(self):
        story = a_story_in(Phase.SHIFTING).tell(s.Due(), after=31 * MINUTE)
        assert [hold.kind for hold in story.release.holds] == [HoldKind.STRAGGLERS]
        assert story.release.phase is Phase.SHIFTING
        assert story.confirm().release.phase is Phase.BAKING
