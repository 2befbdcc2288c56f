"""The copy of stable that a candidate is compared with: waited for on the way up, and never on the way back."""

import pytest

from delivery.machine.announce import needs_people
from delivery.machine.desired import desired
from delivery.machine.wake import COPY_POLL, wake
from delivery.machine.wants import wants
from delivery.model import signal as s
from delivery.model.effect import EnsureWorkload, PublishBackend
from delivery.model.event import CauseKind, Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import MINUTE, SECOND
from delivery.model.place import Mode
from delivery.model.plan import Limit, Plan
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Sticky, Traffic
from delivery.model.verdict import Verdict
from delivery.testing.builders import BOB, STABLE, Story, a_plan, a_stage, a_story, a_target

FIVE, FIFTY = Traffic(5, baseline=5), Traffic(50, baseline=25)
PLAN = a_plan(a_stage(5, traffic=FIVE), a_stage(50, traffic=FIFTY))
MISSING = s.BaselineMissing("a copy of 1.4.1")
PARTLY = s.BaselineMissing("1 of 2 pods", answers=True)


def begun(plan: Plan = PLAN) -> Story:
    return a_story(plan=plan).tell(s.WorkloadReady())


def baking(plan: Plan = PLAN) -> Story:
    return begun(plan).tell(s.BaselineReady(5)).confirm()


def kinds(story: Story) -> list[HoldKind]:
    return [hold.kind for hold in story.release.holds]


def asked(story: Story) -> list[int]:
    """The shares that the copy is asked to carry."""
    found = wants(story.release, story.context.now)
    copies = [one for one in found if isinstance(one, EnsureWorkload | PublishBackend) and one.version.is_copy]
    return [one.share for one in copies if isinstance(one, EnsureWorkload)]


class TestOnTheWayUp:
    def test_the_first_stage_waits_for_it(self):
        story = begun()
        assert (story.release.phase, asked(story)) == (Phase.PREPARING, [5])
        assert wake(story.release, story.context).why == "the copy of stable being ready"
        story.tell(s.BaselineReady(5))
        assert (story.release.phase, desired(story.release)) == (Phase.SHIFTING, FIVE)

    def test_it_may_take_as_long_as_the_candidate_and_is_a_hold_then(self):
        story = begun().tell(MISSING, after=9 * MINUTE)
        assert kinds(story) == []
        story.tell(MISSING, after=MINUTE)
        assert kinds(story) == [HoldKind.BASELINE_UNREADY]
        assert story.tell(s.BaselineReady(5)).release.phase is Phase.SHIFTING

    def test_one_that_cannot_run_is_a_hold_at_once(self):
        story = begun().tell(s.BaselineMissing("exit code 1", failing=True))
        assert kinds(story) == [HoldKind.BASELINE_UNREADY]

    def test_people_are_called_once_the_hold_has_lasted_or_it_goes_back(self):
        gone = s.BaselineMissing("exit code 1", failing=True)
        story = begun().tell(gone).tell(s.Due(), after=11 * MINUTE)
        assert [hold.until for hold in story.release.holds] == [None]
        plan = a_plan(*PLAN.stages, at_limit=Limit.REVERT)
        story = begun(plan).tell(gone).tell(s.Due(), after=11 * MINUTE)
        assert story.release.cause is not None
        assert (story.release.phase, story.release.cause.kind) == (Phase.ROLLING_BACK, CauseKind.NO_DATA)

    def test_a_person_goes_on_without_it_and_stable_has_its_share(self):
        story = begun().tell(s.BaselineMissing("exit code 1", failing=True))
        story.tell(s.Resume(BOB, "compared by eye", holds=(HoldKind.BASELINE_UNREADY,)))
        assert (story.release.phase, desired(story.release)) == (Phase.SHIFTING, Traffic(5))
        story.tell(MISSING).confirm().tell(MISSING)
        assert (kinds(story), desired(story.release)) == ([], Traffic(5)), "that was said"
        story.tell(s.BaselineReady(5))
        assert (desired(story.release), story.release.waived) == (FIVE, ()), "it is compared as soon as it can be"

    def test_a_larger_share_is_waited_for_before_the_raise(self):
        story = baking()
        assert asked(story) == [5]
        story.tick()
        assert (story.release.stage, asked(story)) == (0, [25])
        story.tell(PARTLY)
        assert (kinds(story), desired(story.release)) == ([HoldKind.BASELINE_UNREADY], FIVE)
        assert asked(story) == [25]
        story.tell(s.BaselineReady(25))
        assert (story.release.stage, desired(story.release)) == (1, FIFTY)

    def test_everybody_is_for_the_candidate_and_not_for_a_copy(self):
        story = baking().tell(s.PromoteNow(BOB))
        assert (desired(story.release), asked(story)) == (ALL_CANDIDATE, [])

    def test_a_first_version_has_none(self):
        story = a_story(stable=None, plan=PLAN).tell(s.WorkloadReady())
        assert (story.release.phase, asked(story)) == (Phase.PROMOTING, [])

    def test_it_is_looked_at_between_two_ticks(self):
        story = baking()
        found = wake(story.release, story.context)
        assert found.at == story.context.now + COPY_POLL


class TestThatIsGone:
    def test_stable_has_its_share_at_once_and_the_candidate_its_own(self):
        story = baking().tell(MISSING)
        assert (story.release.phase, desired(story.release)) == (Phase.SHIFTING, Traffic(5))
        assert (story.release.dseq, kinds(story)) == (story.release.seq - 1, [HoldKind.BASELINE_UNREADY])
        assert asked(story) == [5]

    def test_nothing_passes_without_it(self):
        story = baking().tell(MISSING).confirm().tick(Verdict.PASS)
        assert story.release.passed == -1

    def test_the_stage_begins_anew_with_it(self):
        story = baking().tell(MISSING).confirm().tell(s.BaselineReady(5))
        assert (story.release.phase, desired(story.release), kinds(story)) == (Phase.SHIFTING, FIVE, [])
        assert story.said.count("StageEntered") == 2
        assert story.confirm().tick().tell(s.BaselineReady(25)).release.stage == 1

    def test_the_stage_begins_anew_with_it_also_where_it_comes_back_under_another_hold(self):
        """What was measured without it, while something else kept the stage from beginning anew, passes nothing."""
        story = baking().tell(MISSING).confirm().tick(Verdict.NO_DATA).tell(s.BaselineReady(5))
        assert (kinds(story), story.said.count("StageEntered")) == ([HoldKind.NO_DATA], 1)
        story.tick(Verdict.PASS)
        assert (story.release.passed, kinds(story), desired(story.release)) == (-1, [], FIVE)
        assert story.said.count("StageEntered") == 2

    def test_one_that_comes_and_goes_does_not_keep_people_away(self):
        """The stage's time goes on, although it begins anew each time."""
        story = baking()
        for _ in range(8):
            story.tell(s.Due(), after=5 * MINUTE).tell(MISSING).confirm().tell(s.BaselineReady(5)).confirm()
        story.tick(baked=15 * SECOND)
        assert HoldKind.NO_DATA in kinds(story)
        assert needs_people(story.release.holds[0])

    def test_a_stage_that_has_passed_does_not_begin_anew(self):
        story = baking().tick().tell(MISSING).confirm().tell(s.BaselineReady(5))
        assert story.said.count("StageEntered") == 1
        assert story.tell(s.BaselineReady(25)).release.stage == 1

    def test_one_of_which_some_answer_keeps_its_share(self):
        story = baking().tell(PARTLY)
        assert (desired(story.release), kinds(story)) == (FIVE, [HoldKind.BASELINE_UNREADY])
        assert "BaselineLost" not in story.said
        assert kinds(story.tell(s.BaselineReady(5))) == []


class TestOnTheWayBack:
    @pytest.mark.parametrize("copy", [s.BaselineReady(5), MISSING, PARTLY])
    def test_it_is_in_nobodys_way(self, copy):
        story = baking().tell(copy).tell(s.Abort(BOB))
        assert (story.release.phase, desired(story.release)) == (Phase.ROLLING_BACK, ALL_STABLE)
        assert asked(story) == []
        seq = story.release.seq
        assert story.tell(MISSING, s.BaselineReady(5)).release.seq == seq
        assert story.confirm().release.phase is Phase.ROLLED_BACK

    def test_users_of_a_copy_stay_with_it_where_stable_has_no_instance(self):
        story = baking().tell(s.StableUnready("0 of 3 pods")).tick(Verdict.FAIL)
        assert (story.release.stay, desired(story.release), asked(story)) == (True, FIVE, [5])
        story.tell(MISSING)
        assert (story.release.phase, desired(story.release)) == (Phase.ROLLING_BACK, Traffic(5))
        story.tell(s.StableReady())
        assert desired(story.release) == ALL_STABLE

    def test_what_was_lost_is_capped_without_it(self):
        story = baking().tell(s.HistoryLost("the stamp of event 12", 2))
        assert desired(story.release) == Traffic(2)


@pytest.mark.parametrize("mode", [None, Mode.VERSIONED])
def test_it_goes_with_the_release(mode):
    target = a_target(plan=a_plan(*PLAN.stages, mode=mode), stable=STABLE)
    target.ask()
    target.tell(s.WorkloadReady(), s.BaselineReady(5)).confirm()
    copy = STABLE.copy_for(target.active.id)
    assert [entry.version for entry in target.world.target.retiring] == []
    target.tell(s.Abort(BOB)).confirm()
    retiring = {entry.version: entry for entry in target.world.target.retiring}
    assert copy in retiring
    assert retiring[copy].after > target.context.now, "requests under way end first"


def test_nobody_is_sticky_beside_it():
    with pytest.raises(ValueError, match="no cookies"):
        Traffic(5, sticky=Sticky("rel"), baseline=5)
    with pytest.raises(ValueError, match="1 to 40 percent"):
        Traffic(60, baseline=41)


def test_its_identity_is_its_own_and_that_of_its_release():
    copy = STABLE.copy_for("rel_1")
    assert (copy.version, copy.image, copy.original) == (STABLE.version, STABLE.image, STABLE.identity)
    assert len({STABLE.identity, copy.identity, STABLE.copy_for("rel_2").identity}) == 3
    assert (copy.is_copy, STABLE.is_copy) == (True, False)
    assert STABLE.configured("4f1c").copy_for("rel_1").configuration == "4f1c"


def test_a_stage_that_was_begun_anew_keeps_its_clock_apart():
    """What was measured before the copy was lost is no part of the bake after it."""
    story = baking()
    first = story.release.entered_at
    story.tell(MISSING, after=30 * SECOND).confirm().tell(s.BaselineReady(5))
    assert story.release.entered_at > first
