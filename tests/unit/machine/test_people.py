from dataclasses import replace

import pytest

from delivery.machine.refusal import Refusal
from delivery.model import signal as s
from delivery.model.context import Freeze, Stop
from delivery.model.event import Approved, CauseKind, Level, Phase, Rejected
from delivery.model.hold import HoldKind
from delivery.model.ids import HOUR, MINUTE, SECOND, Micros, Principal
from delivery.model.plan import Then
from delivery.model.traffic import Match, Mirror, Rule, Traffic
from delivery.model.verdict import Verdict
from delivery.testing.builders import (
    ALICE,
    BOB,
    CAROL,
    NOW,
    Story,
    a_plan,
    a_stage,
    a_story,
    a_story_in,
    an_approval,
)

GUARDED = a_plan(a_stage(5), a_stage(25, approval=an_approval(2, group="sre")), a_stage(50))
SRE = ("sre",)


def refused(story: Story, signal: s.Signal) -> Refusal:
    """The refusal of a signal that must change nothing."""
    before, history = story.release, list(story.events)
    with pytest.raises(Refusal) as caught:
        story.tell(signal)
    assert (story.release, story.events) == (before, history)
    return caught.value


def waiting() -> Story:
    """The first stage has passed; two of sre must agree to the next one."""
    return a_story_in(Phase.BAKING, plan=GUARDED).tick()


class TestApproving:
    def test_enough_distinct_people_of_the_group_let_it_on(self):
        story = waiting()
        assert story.release.held(HoldKind.APPROVAL)
        story.tell(s.Approve(BOB, groups=SRE))
        assert story.release.phase is Phase.BAKING
        story.tell(s.Approve(CAROL, groups=SRE, reason="looks good", via="slack"))
        assert (story.release.phase, story.release.stage) == (Phase.SHIFTING, 1)
        vote = next(event for event in reversed(story.events) if isinstance(event, Approved))
        assert (vote.stage, vote.actor, vote.reason, vote.via) == (1, CAROL, "looks good", "slack")

    def test_it_may_come_before_the_stage_has_passed(self):
        story = a_story_in(Phase.SHIFTING, plan=GUARDED).tell(s.Approve(BOB, groups=SRE), s.Approve(CAROL, groups=SRE))
        story.confirm().tick()
        assert "HoldPlaced" not in story.said
        assert story.release.stage == 1

    def test_a_vote_for_one_stage_is_none_for_the_next(self):
        plan = a_plan(a_stage(5, approval=an_approval()), a_stage(50, approval=an_approval()))
        story = a_story(plan=plan).tell(s.Approve(BOB), s.WorkloadReady()).confirm().tick()
        assert story.release.held(HoldKind.APPROVAL)
        assert story.release.stage == 0

    def test_a_vote_is_for_going_on_from_what_is_live(self):
        story = waiting().tell(s.Approve(BOB, groups=SRE), s.HistoryLost("the stamp of event 12", 0))
        story.tell(s.Resume(BOB, admin=True, holds=(HoldKind.HISTORY_LOST,))).confirm()
        story.tell(s.Approve(CAROL, groups=SRE))
        assert (story.release.stage, story.release.held(HoldKind.APPROVAL)) == (0, True)
        assert story.tell(s.Approve(BOB, groups=SRE)).release.stage == 1

    def test_the_initiator_may_not(self):
        refusal = refused(waiting(), s.Approve(ALICE, groups=SRE))
        assert refusal.kind == "forbidden"
        assert "somebody else" in refusal.text

    def test_a_name_that_ci_writes_otherwise_is_the_same_person(self):
        """Logins are the same whatever their case is: nobody approves their own by it, nor votes twice."""
        story = a_story_in(Phase.BAKING, plan=GUARDED, actor=Principal("Alice")).tick()
        assert refused(story, s.Approve(ALICE, groups=SRE)).kind == "forbidden"
        story.tell(s.Approve(BOB, groups=SRE))
        assert refused(story, s.Approve(Principal("BOB"), groups=SRE)).kind == "conflict"

    def test_somebody_outside_the_group_may_not(self):
        refusal = refused(waiting(), s.Approve(BOB, groups=("web",)))
        assert refusal.kind == "forbidden"
        assert "sre" in refusal.text

    def test_one_person_is_one_vote(self):
        story = waiting().tell(s.Approve(BOB, groups=SRE, via="slack"))
        assert refused(story, s.Approve(BOB, groups=SRE, via="cli")).kind == "conflict"

    def test_more_votes_than_needed_are_told_so(self):
        story = a_story_in(Phase.BAKING, plan=a_plan(a_stage(5), a_stage(50, approval=an_approval())))
        story.tell(s.Approve(BOB))
        assert "all the approvals" in refused(story, s.Approve(CAROL)).text

    def test_what_was_seen_must_still_be_live(self):
        story = waiting()
        assert "look again" in refused(story, s.Approve(BOB, groups=SRE, dseq=story.release.dseq - 1)).text
        story.tell(s.Approve(BOB, groups=SRE, dseq=story.release.dseq))

    def test_nothing_waits_where_no_approval_is_ahead(self):
        assert "nothing here waits" in refused(a_story_in(Phase.BAKING), s.Approve(BOB)).text

    def test_a_vote_that_comes_too_late_misses_even_before_the_revert(self):
        story = waiting().where(now=Micros(NOW + 5 * HOUR))
        assert "is over" in refused(story, s.Approve(BOB, groups=SRE)).text

    def test_a_late_vote_after_an_abort_misses_and_is_told(self):
        story = waiting().tell(s.Abort(BOB))
        assert "going back to stable" in refused(story, s.Approve(CAROL, groups=SRE)).text


class TestRejecting:
    def test_it_reverts_whoever_else_approved(self):
        story = waiting().tell(s.Approve(BOB, groups=SRE), s.Reject(CAROL, "too slow"))
        assert (story.release.phase, story.release.then) == (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
        assert story.release.cause is not None
        assert (story.release.cause.kind, story.release.cause.actor) == (CauseKind.REJECTED, CAROL)
        assert any(isinstance(event, Rejected) and event.stage == 1 for event in story.events)

    def test_the_initiator_may(self):
        assert waiting().tell(s.Reject(ALICE)).release.phase is Phase.ROLLING_BACK

    def test_the_question_at_the_end_of_a_chain_is_withdrawn(self):
        story = a_story_in(Phase.BAKING, plan=a_plan(a_stage(5), then=Then.ASK)).tick()
        assert story.release.held(HoldKind.APPROVAL)
        story.tell(s.Reject(BOB)).confirm()
        assert story.release.phase is Phase.WITHDRAWN

    def test_before_any_user_was_reached_it_is_cancelled(self):
        plan = a_plan(a_stage(5, approval=an_approval()))
        assert a_story(plan=plan).tell(s.Reject(BOB)).confirm().release.phase is Phase.CANCELLED

    def test_a_no_to_what_was_seen_is_no_no_to_what_came_since(self):
        story = waiting()
        assert refused(story, s.Reject(BOB, dseq=story.release.dseq - 1)).kind == "conflict"


class TestPausing:
    def test_nothing_rises_until_it_is_resumed(self):
        story = a_story_in(Phase.BAKING).tell(s.Pause(BOB, "lunch")).tick()
        assert (story.release.passed, story.release.stage, story.release.phase) == (0, 0, Phase.BAKING)
        story.tell(s.Resume(CAROL))
        assert (story.release.stage, story.release.phase) == (1, Phase.SHIFTING)

    def test_a_gate_that_fails_reverts_all_the_same(self):
        story = a_story_in(Phase.BAKING).tell(s.Pause(BOB)).tick().tick(Verdict.FAIL)
        assert story.release.phase is Phase.ROLLING_BACK

    def test_twice_is_told_by_whom(self):
        assert "bob" in refused(a_story_in(Phase.BAKING).tell(s.Pause(BOB)), s.Pause(CAROL)).text

    def test_a_queued_release_prepares_and_then_waits(self):
        story = a_story_in(Phase.QUEUED).tell(s.Pause(BOB), s.TurnCame(None), s.WorkloadReady())
        assert story.release.phase is Phase.PREPARING
        assert story.tell(s.Resume(BOB)).release.phase is Phase.PROMOTING


class TestResuming:
    def test_exactly_what_is_named(self):
        story = a_story_in(Phase.BAKING).tell(s.Pause(BOB), s.Drifted("weight 50", 9)).tick()
        story.tell(s.Resume(CAROL, holds=(HoldKind.DRIFT_STORM,)))
        assert [hold.kind for hold in story.release.holds] == [HoldKind.PAUSE]

    def test_all_or_none(self):
        story = a_story_in(Phase.BAKING).tell(s.Pause(BOB))
        refusal = refused(story, s.Resume(CAROL, holds=(HoldKind.PAUSE, HoldKind.FREEZE)))
        assert refusal.kind == "conflict"
        assert "its holds: pause" in refusal.text

    def test_what_is_not_held_or_not_named(self):
        story = a_story_in(Phase.BAKING)
        assert "its holds: none" in refused(story, s.Resume(BOB)).text
        assert "name the holds" in refused(story, s.Resume(BOB, holds=())).text

    @pytest.mark.parametrize(
        ("kind", "how"),
        [(HoldKind.APPROVAL, "enough approvals"), (HoldKind.STOP, "lifting the stop")],
    )
    def test_what_has_another_way_out_names_it(self, kind, how):
        story = waiting().where(stop=Stop(CAROL, "incident 7", NOW)).tell(s.Due())
        refusal = refused(story, s.Resume(BOB, "please", admin=True, holds=(kind,)))
        assert refusal.kind == "conflict"
        assert how in refusal.text

    def test_lost_history_is_for_admins(self):
        story = a_story_in(Phase.BAKING).tell(s.HistoryLost("the stamp of event 12", 0))
        assert refused(story, s.Resume(BOB, "checked", holds=(HoldKind.HISTORY_LOST,))).kind == "forbidden"
        story.tell(s.Resume(BOB, admin=True, holds=(HoldKind.HISTORY_LOST,)))
        assert not story.release.held(HoldKind.HISTORY_LOST)

    def test_a_freeze_takes_a_reason_and_is_overridden_for_this_window_only(self):
        window = Freeze("weekend", NOW, Micros(NOW + HOUR))
        story = a_story_in(Phase.BAKING).where(freeze=window).tick()
        assert refused(story, s.Resume(BOB, " ", holds=(HoldKind.FREEZE,))).kind == "needs_reason"
        story.tell(s.Resume(BOB, "hotfix", holds=(HoldKind.FREEZE,)))
        assert story.release.stage == 1
        assert not story.confirm().release.held(HoldKind.FREEZE)
        later = replace(window, start=story.context.now, end=Micros(story.context.now + HOUR))
        assert story.where(freeze=later).tell(s.Due()).release.held(HoldKind.FREEZE)

    def test_stragglers_are_accepted_as_what_they_are(self):
        story = a_story_in(Phase.SHIFTING)
        story.tell(s.Unconfirmed(story.release.dseq, ("gateway-1", "gateway-2")))
        story.tell(s.Resume(BOB, holds=(HoldKind.STRAGGLERS,)))
        assert (story.release.phase, story.release.level) == (Phase.BAKING, Level.WRITTEN)

    def test_stragglers_of_a_revert_too(self):
        story = a_story_in(Phase.ROLLING_BACK)
        story.tell(s.Unconfirmed(story.release.dseq, ("gateway-1",)))
        story.tell(s.Resume(BOB, holds=(HoldKind.STRAGGLERS,)))
        assert story.release.phase is Phase.ROLLED_BACK

    def test_a_page_that_is_out_of_date_resumes_nothing(self):
        story = a_story_in(Phase.BAKING).tell(s.Pause(BOB))
        assert refused(story, s.Resume(BOB, dseq=story.release.dseq - 1)).kind == "conflict"


class TestAborting:
    @pytest.mark.parametrize(
        ("phase", "end"),
        [
            (Phase.PREPARING, Phase.CANCELLED),
            (Phase.SHIFTING, Phase.ROLLED_BACK),
            (Phase.BAKING, Phase.ROLLED_BACK),
            (Phase.PROMOTING, Phase.ROLLED_BACK),
        ],
    )
    def test_it_goes_back_and_says_whether_users_were_reached(self, phase, end):
        story = a_story_in(phase).tell(s.Abort(BOB, "errors in the logs"))
        assert (story.release.phase, story.release.then) == (Phase.ROLLING_BACK, end)
        assert story.confirm().release.phase is end
        assert story.release.cause is not None
        assert (story.release.cause.actor, story.release.cause.reason) == (BOB, "errors in the logs")

    def test_it_works_from_a_page_that_is_out_of_date_and_under_every_hold(self):
        story = waiting().where(stop=Stop(CAROL, "incident 7", NOW))
        story.tell(s.Pause(BOB), s.HistoryLost("the stamp of event 12", 50), s.Abort(BOB, dseq=1))
        assert story.release.phase is Phase.ROLLING_BACK

    def test_a_rule_exposes_users_too(self):
        beta = Traffic(rules=(Rule("beta", (Match(path="/beta"),)),))
        story = a_story_in(Phase.BAKING, plan=a_plan(a_stage(0, traffic=beta))).tell(s.Abort(BOB))
        assert (story.release.exposed, story.release.then) == (0, Phase.ROLLED_BACK)

    def test_copies_reach_no_user(self):
        mirror = Traffic(mirror=Mirror(10))
        story = a_story_in(Phase.BAKING, plan=a_plan(a_stage(0, traffic=mirror))).tell(s.Abort(BOB))
        assert story.release.then is Phase.CANCELLED

    def test_a_first_version_that_had_nothing_yet_is_over_at_once(self):
        story = a_story(stable=None).tell(s.Abort(BOB))
        assert (story.release.phase, story.release.dseq) == (Phase.CANCELLED, 0)

    def test_twice_is_told_that_it_is_on_its_way(self):
        assert "going back" in refused(a_story_in(Phase.ROLLING_BACK), s.Abort(BOB)).text


class TestPromoting:
    def test_it_skips_every_stage_that_is_left(self):
        plan = a_plan(a_stage(5), a_stage(25), a_stage(50))
        story = a_story_in(Phase.BAKING, plan=plan).tell(s.PromoteNow(BOB, "hotfix"))
        assert story.said[-4:] == ["StageSkipped", "StageSkipped", "StageSkipped", "PromotionBegun"]
        story.confirm()
        assert story.release.phase is Phase.PROMOTED
        assert story.release.cause is not None
        assert (story.release.cause.kind, story.release.cause.actor) == (CauseKind.PROMOTED_BY_PERSON, BOB)

    def test_only_what_has_not_passed_is_skipped(self):
        story = a_story_in(Phase.BAKING).tell(s.Pause(BOB)).tick().tell(s.PromoteNow(BOB))
        assert story.said[-3:] == ["HoldLifted", "StageSkipped", "PromotionBegun"]
        assert (story.release.passed, story.release.phase) == (1, Phase.PROMOTING)

    def test_capacity_comes_first(self):
        story = a_story().tell(s.PromoteNow(BOB))
        assert story.release.phase is Phase.PREPARING
        assert story.tell(s.WorkloadReady()).release.phase is Phase.PROMOTING

    def test_and_so_does_the_proof_of_what_is_live(self):
        story = a_story_in(Phase.SHIFTING).tell(s.PromoteNow(BOB))
        assert (story.release.phase, story.release.passed) == (Phase.SHIFTING, 1)
        assert story.confirm().release.phase is Phase.PROMOTING

    def test_it_lifts_what_it_decides(self):
        story = a_story_in(Phase.BAKING).where(now=Micros(NOW + HOUR)).tick(requests=1).tell(s.Pause(BOB))
        assert {hold.kind for hold in story.release.holds} == {HoldKind.LOW_TRAFFIC, HoldKind.PAUSE}
        story.tell(s.PromoteNow(BOB))
        assert (story.release.phase, story.release.holds) == (Phase.PROMOTING, ())

    @pytest.mark.parametrize(
        "trouble",
        [
            s.HistoryLost("the stamp of event 12", 0),
            s.StableUnready("0 of 3 pods"),
            s.Drifted("weight 50", 9),
        ],
    )
    def test_trouble_refuses_it(self, trouble):
        assert "it is held by" in refused(a_story_in(Phase.BAKING).tell(trouble), s.PromoteNow(BOB)).text

    def test_freeze_and_stop_refuse_it_even_before_they_were_recorded(self):
        story = a_story_in(Phase.BAKING).where(freeze=Freeze("weekend", NOW, Micros(NOW + HOUR)))
        assert "freeze weekend" in refused(story, s.PromoteNow(BOB)).text
        story.where(freeze=None, stop=Stop(CAROL, "incident 7", NOW))
        assert "stop incident 7" in refused(story, s.PromoteNow(BOB)).text

    def test_a_missing_approval_anywhere_ahead_refuses_it(self):
        story = a_story_in(Phase.BAKING, plan=a_plan(a_stage(5), a_stage(50), promotion=an_approval()))
        assert "the raise to 100 % needs an approval" in refused(story, s.PromoteNow(BOB)).text

    def test_with_the_approval_it_goes(self):
        story = a_story_in(Phase.BAKING, plan=a_plan(a_stage(5), a_stage(50, approval=an_approval())))
        assert "canary 50%" in refused(story, s.PromoteNow(BOB)).text
        assert story.tell(s.Approve(BOB), s.PromoteNow(BOB)).release.phase is Phase.PROMOTING

    def test_nothing_is_left_to_skip(self):
        story = a_story(stable=None)
        assert story.release.plan.stages
        assert "by itself" in refused(story, s.PromoteNow(BOB)).text

    def test_a_page_that_is_out_of_date_promotes_nothing(self):
        story = a_story_in(Phase.BAKING)
        assert refused(story, s.PromoteNow(BOB, dseq=story.release.dseq - 1)).kind == "conflict"

    def test_a_plan_that_would_withdraw_is_promoted_if_a_person_says_so(self):
        story = a_story_in(Phase.BAKING, plan=a_plan(a_stage(5), then=Then.WITHDRAW)).tell(s.PromoteNow(BOB))
        assert story.release.phase is Phase.PROMOTING


class TestRefusals:
    def test_they_name_what_fits_now(self):
        assert refused(waiting(), s.Approve(ALICE, groups=SRE)).allowed == ("approve", "reject", "pause", "abort")
        assert refused(a_story_in(Phase.PROMOTING), s.Pause(BOB)).allowed == ("abort",)
        assert refused(a_story_in(Phase.ROLLING_BACK), s.PromoteNow(BOB)).allowed == ()
        assert refused(a_story_in(Phase.ROLLED_BACK), s.Pause(BOB)).allowed == ("retry",)
        assert refused(a_story_in(Phase.PROMOTED), s.Abort(BOB)).allowed == ("rollback",)

    def test_they_read_as_a_sentence(self):
        text = str(refused(a_story_in(Phase.PROMOTING), s.Pause(BOB)))
        assert text == "release #1: the candidate is being given all traffic (possible now: abort)"

    def test_only_people_are_ever_refused(self):
        world = [kind for kind in s.SIGNALS if not issubclass(kind, s.PersonSignal)]
        assert len(world) == len(s.SIGNALS) - 6
        story = a_story_in(Phase.PROMOTED)
        story.tell(s.Due(), s.MeshUp(), s.WorkloadReady(), after=MINUTE)
        assert story.release == a_story_in(Phase.PROMOTED).release


def test_time_does_not_go_back_with_the_clock():
    story = a_story_in(Phase.BAKING)
    last = story.release.at
    story.where(now=Micros(NOW - HOUR)).tell(s.Pause(BOB), after=SECOND)
    assert story.release.at == last
