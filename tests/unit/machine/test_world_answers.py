"""What workloads, proxies, alerts and newer versions do to a release."""

from dataclasses import replace

import pytest

from delivery.machine.desired import desired
from delivery.machine.rules.mesh import STORM, STORM_QUIET
from delivery.machine.wants import wants
from delivery.model import signal as s
from delivery.model.effect import ConfirmTraffic, WriteTraffic
from delivery.model.event import CauseKind, Closed, DriftCorrected, HistoryLost, Level, Phase, TrafficConfirmed
from delivery.model.hold import HoldKind
from delivery.model.ids import MINUTE, SECOND, Micros, ReleaseId
from delivery.model.plan import Plan
from delivery.model.policy import RateLimit, TrafficPolicy
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Match, Rule, Traffic
from delivery.model.verdict import Verdict
from delivery.testing.builders import BOB, CAROL, NOW, STABLE, Story, a_plan, a_stage, a_story, a_story_in

MISSING = s.WorkloadMissing("deployment checkout-1.4.2")


def kinds(story: Story) -> list[HoldKind]:
    return [hold.kind for hold in story.release.holds]


class TestTheCandidate:
    def test_it_may_take_its_time_to_appear(self):
        story = a_story().tell(MISSING, after=9 * MINUTE)
        assert story.release.phase is Phase.PREPARING
        assert story.tell(MISSING, after=MINUTE).confirm().release.phase is Phase.FAILED_TO_START
        assert story.release.cause is not None
        assert (story.release.cause.kind, story.release.cause.reason) == (
            CauseKind.CANDIDATE_MISSING,
            "deployment checkout-1.4.2",
        )

    def test_time_alone_does_not_fail_it(self):
        """Nobody looked: that is no proof that it is missing."""
        assert a_story().tell(s.Due(), after=60 * MINUTE).release.phase is Phase.PREPARING

    def test_a_pause_does_not_count_against_it(self):
        story = a_story().tell(s.Pause(BOB)).tell(MISSING, after=60 * MINUTE)
        assert story.release.phase is Phase.PREPARING

    def test_one_that_cannot_run_fails_at_once(self):
        story = a_story().tell(s.WorkloadFailing("exit code 1")).confirm()
        assert story.release.phase is Phase.FAILED_TO_START
        assert story.release.cause is not None
        assert story.release.cause.reason == "exit code 1"

    def test_ready_is_said_once(self):
        story = a_story_in(Phase.SHIFTING).tell(s.WorkloadReady(), s.WorkloadReady())
        assert story.said.count("CandidateReady") == 1

    def test_ready_no_more_while_it_waits_for_people(self):
        story = a_story().tell(s.Pause(BOB), s.WorkloadReady())
        story.tell(MISSING, after=60 * MINUTE).tell(s.Resume(CAROL))
        assert (story.release.phase, kinds(story)) == (Phase.PREPARING, [HoldKind.CANDIDATE_UNREADY])
        assert story.tell(s.WorkloadReady()).release.phase is Phase.SHIFTING

    def test_ready_no_more_under_traffic_holds_the_next_raise(self):
        story = a_story_in(Phase.BAKING).tell(MISSING, MISSING).tick()
        assert (story.release.stage, kinds(story)) == (0, [HoldKind.CANDIDATE_UNREADY])
        assert story.tell(s.WorkloadReady()).release.stage == 1

    def test_dead_under_traffic_takes_it_back(self):
        story = a_story_in(Phase.PROMOTING).tell(s.WorkloadFailing("killed"))
        assert (story.release.phase, story.release.then) == (Phase.ROLLING_BACK, Phase.ROLLED_BACK)


class TestStableWithoutAnInstance:
    UNREADY = s.StableUnready("0 of 3 pods")

    def test_nothing_rises(self):
        story = a_story_in(Phase.BAKING).tell(self.UNREADY, self.UNREADY).tick()
        assert (story.release.stage, kinds(story)) == (0, [HoldKind.STABLE_UNREADY])
        assert story.tell(s.StableReady()).release.stage == 1

    def test_a_revert_leaves_users_where_they_are_until_it_is_back(self):
        story = a_story_in(Phase.BAKING).tell(self.UNREADY).tick(Verdict.FAIL)
        assert (story.release.phase, story.release.stay) == (Phase.ROLLING_BACK, True)
        assert desired(story.release) == Traffic(weight=5)
        dseq = story.release.dseq
        story.confirm()
        assert story.release.phase is Phase.ROLLING_BACK, "users are still on the candidate"
        story.tell(s.StableReady())
        assert (desired(story.release), story.release.stay) == (ALL_STABLE, False)
        assert story.release.dseq > dseq, "other traffic has another number"
        assert story.confirm().release.phase is Phase.ROLLED_BACK
        assert story.release.cause is not None
        assert story.release.cause.kind is CauseKind.GATE_FAILED

    def test_everybody_stays_where_everybody_was(self):
        story = a_story_in(Phase.PROMOTING).tell(self.UNREADY, s.Abort(BOB))
        assert desired(story.release) == ALL_CANDIDATE

    def test_what_limits_the_candidate_stays_with_them(self):
        """A stage may give it everybody, and limit it nevertheless: only a promotion takes the limits away."""
        limited = Traffic(weight=100, policy=TrafficPolicy(rate_limit=RateLimit(100, SECOND)))
        plan = a_plan(a_stage(100, traffic=limited))
        story = a_story_in(Phase.BAKING, plan=plan).tell(self.UNREADY, s.Abort(BOB))
        assert (story.release.stay, desired(story.release)) == (True, limited)
        story = a_story_in(Phase.PROMOTING, plan=plan).tell(self.UNREADY, s.Abort(BOB))
        assert (story.release.stay, desired(story.release)) == (True, ALL_CANDIDATE)

    def test_a_second_abort_takes_them_to_stable_all_the_same(self):
        story = a_story_in(Phase.BAKING).tell(self.UNREADY, s.Abort(BOB), s.Abort(CAROL, "it corrupts orders"))
        assert desired(story.release) == ALL_STABLE
        assert story.release.cause is not None
        assert story.release.cause.actor == CAROL
        assert story.confirm().release.phase is Phase.ROLLED_BACK

    def test_where_no_user_was_exposed_there_is_nothing_to_stay_with(self):
        story = a_story().tell(self.UNREADY, s.Abort(BOB))
        assert (story.release.stay, desired(story.release)) == (False, ALL_STABLE)

    def test_known_only_after_a_revert_began_it_raises_nothing_again(self):
        story = a_story_in(Phase.ROLLING_BACK).tell(self.UNREADY)
        assert desired(story.release) == ALL_STABLE
        assert story.confirm().release.phase is Phase.ROLLED_BACK

    def test_somebody_may_go_on_to_ship_the_fix(self):
        story = a_story_in(Phase.BAKING).tell(self.UNREADY).tick()
        story.tell(s.Resume(BOB, "1.4.2 is the fix", holds=(HoldKind.STABLE_UNREADY,)))
        assert (story.release.stage, story.release.phase) == (1, Phase.SHIFTING)

    def test_what_was_waived_is_still_known_to_a_revert(self):
        story = a_story_in(Phase.BAKING).tell(
            self.UNREADY, s.Resume(BOB, "we know", holds=(HoldKind.STABLE_UNREADY,)), self.UNREADY, s.Abort(BOB)
        )
        assert story.release.stay
        assert not story.tell(s.StableReady()).release.stay

    def test_and_forgotten_when_stable_is_back(self):
        story = a_story_in(Phase.BAKING).tell(
            self.UNREADY, s.Resume(BOB, "we know", holds=(HoldKind.STABLE_UNREADY,)), s.StableReady(), s.Abort(BOB)
        )
        assert not story.release.stay

    def test_it_does_not_hold_the_rollback_that_is_to_mend_it(self):
        story = a_story(plan=Plan(stages=()), rolls_back=ReleaseId("rel_0")).tell(self.UNREADY, s.WorkloadReady())
        assert story.release.phase is Phase.PROMOTING


class TestProxies:
    def test_a_confirmation_names_the_traffic_that_it_proves(self):
        story = a_story_in(Phase.SHIFTING)
        story.tell(s.Confirmed(story.release.dseq - 1, Level.ACKED), s.Confirmed(story.release.dseq + 1, Level.ACKED))
        assert story.release.phase is Phase.SHIFTING
        story.tell(s.Confirmed(story.release.dseq, Level.PROBED, 118))
        event = story.events[-1]
        assert isinstance(event, TrafficConfirmed)
        assert (story.release.phase, event.level, event.proxies) == (Phase.BAKING, Level.PROBED, 118)

    def test_those_that_do_not_confirm_are_named_once_and_forgotten_when_they_do(self):
        story = a_story_in(Phase.SHIFTING)
        late = s.Unconfirmed(story.release.dseq, ("gateway-1", "gateway-2"))
        story.tell(late, late, s.Unconfirmed(story.release.dseq - 1, ("x",)))
        assert [hold.detail for hold in story.release.holds] == ["gateway-1, gateway-2"]
        story.confirm()
        assert (story.release.phase, story.release.holds) == (Phase.BAKING, ())

    @pytest.mark.parametrize("phase", [Phase.SHIFTING, Phase.PROMOTING])
    def test_refused_on_the_way_up_it_goes_back(self, phase):
        story = a_story_in(phase)
        story.tell(s.Nacked(story.release.dseq - 1, "old"))
        assert story.release.phase is phase
        story.tell(s.Nacked(story.release.dseq, "unknown cluster"))
        assert story.release.then is Phase.ROLLED_BACK
        assert story.release.cause is not None
        assert (story.release.cause.kind, story.release.cause.reason) == (CauseKind.MESH_REFUSED, "unknown cluster")

    def test_refused_on_the_way_back_it_goes_on_trying_and_says_so_once(self):
        story = a_story_in(Phase.ROLLING_BACK)
        nack = s.Nacked(story.release.dseq, "unknown cluster")
        story.tell(nack, nack, nack)
        assert story.said.count("MeshFailing") == 1
        assert story.release.phase is Phase.ROLLING_BACK
        assert story.confirm().release.phase is Phase.ROLLED_BACK

    def test_a_mesh_that_is_down_is_said_once_a_row_and_moves_nothing(self):
        story = a_story_in(Phase.BAKING)
        down = s.MeshDown("connection refused")
        story.tell(down, down, s.MeshUp(), s.MeshUp(), down)
        assert story.said[-4:] == ["TrafficConfirmed", "MeshFailing", "MeshRecovered", "MeshFailing"]
        assert (story.release.phase, story.release.stage) == (Phase.BAKING, 0)


class TestDrift:
    def test_each_correction_is_recorded_and_moves_nothing(self):
        story = a_story_in(Phase.BAKING)
        dseq = story.release.dseq
        story.tell(s.Drifted("weight 50", 1))
        assert isinstance(story.events[-1], DriftCorrected)
        assert (story.release.dseq, story.release.phase) == (dseq, Phase.BAKING)

    def test_many_in_a_minute_are_a_storm_of_which_no_more_is_said(self):
        story = a_story_in(Phase.BAKING)
        for _ in range(60):
            story.tell(s.Drifted("weight 50", 1), after=2 * SECOND)
        assert story.said.count("DriftCorrected") == STORM
        assert story.said.count("HoldPlaced") == 1
        assert kinds(story) == [HoldKind.DRIFT_STORM]

    def test_as_many_over_an_hour_are_none(self):
        story = a_story_in(Phase.BAKING)
        for _ in range(20):
            story.tell(s.Drifted("weight 50", 1), after=3 * MINUTE)
        assert story.said.count("DriftCorrected") == 20
        assert kinds(story) == []

    def test_it_is_over_when_nothing_came_for_a_while(self):
        story = a_story_in(Phase.BAKING).tell(s.Drifted("weight 50", STORM))
        for _ in range(20):
            story.tell(s.Drifted("weight 50", STORM), after=MINUTE)
        assert kinds(story) == [HoldKind.DRIFT_STORM]
        assert story.said.count("HoldPlaced") < 10
        story.tell(s.Due(), after=STORM_QUIET)
        assert kinds(story) == []

    def test_people_may_live_with_it(self):
        story = a_story_in(Phase.BAKING).tell(s.Drifted("weight 50", STORM))
        story.tell(s.Resume(BOB, holds=(HoldKind.DRIFT_STORM,)), s.Drifted("weight 50", STORM))
        assert (kinds(story), story.said[-1]) == ([], "HoldLifted")


class TestLostHistory:
    """The database lost commits that the route still shows."""

    LOST = s.HistoryLost("the route carries event 12", 3)

    def test_the_lower_of_live_and_recorded_until_a_person_decides(self):
        story = a_story_in(Phase.BAKING, plan=a_plan(a_stage(50))).tell(self.LOST, self.LOST)
        assert sum(isinstance(event, HistoryLost) for event in story.events) == 1
        assert desired(story.release) == Traffic(weight=3)
        higher = a_story_in(Phase.BAKING).tell(replace(self.LOST, live_weight=50))
        assert desired(higher.release) == Traffic(weight=5)

    def test_the_route_is_left_as_it_is_until_then_and_measured_as_what_it_is(self):
        story = a_story_in(Phase.BAKING).tell(replace(self.LOST, live_weight=50))
        assert {type(one) for one in wants(story.release, story.release.at)} & {WriteTraffic, ConfirmTraffic} == set()
        story.tick(split="50 % of the requests, 5 % are configured")
        assert kinds(story) == [HoldKind.HISTORY_LOST]
        story.tell(s.Resume(BOB, admin=True, holds=(HoldKind.HISTORY_LOST,)))
        assert WriteTraffic(story.release.dseq, Traffic(weight=5)) in wants(story.release, story.release.at)

    def test_a_revert_does_not_wait_for_that(self):
        story = a_story_in(Phase.BAKING).tell(self.LOST, s.Abort(BOB))
        assert WriteTraffic(story.release.dseq, ALL_STABLE) in wants(story.release, story.release.at)

    def test_rules_go_too_since_their_revert_may_be_what_was_lost(self):
        beta = Traffic(rules=(Rule("beta", (Match(path="/beta"),)),))
        story = a_story_in(Phase.BAKING, plan=a_plan(a_stage(0, traffic=beta))).tell(self.LOST)
        assert desired(story.release) == ALL_STABLE

    def test_nothing_confirms_what_is_not_desired_now(self):
        story = a_story_in(Phase.PROMOTING).tell(self.LOST).confirm()
        assert story.release.phase is Phase.PROMOTING
        story = a_story_in(Phase.SHIFTING).tell(self.LOST).confirm()
        story.tell(s.Unconfirmed(story.release.dseq, ("gateway-1",)))
        assert (story.release.phase, kinds(story)) == (Phase.SHIFTING, [HoldKind.HISTORY_LOST])

    @pytest.mark.parametrize("phase", [Phase.SHIFTING, Phase.BAKING])
    def test_resumed_the_stage_is_entered_anew_under_a_new_number(self, phase):
        story = a_story_in(phase).tell(self.LOST)
        before = story.release
        story.tell(s.Resume(BOB, admin=True, holds=(HoldKind.HISTORY_LOST,)))
        assert (story.release.phase, story.release.stage) == (Phase.SHIFTING, 0)
        assert story.release.dseq > before.dseq
        assert desired(story.release) == Traffic(weight=5)
        assert story.confirm().tick().release.stage == 1

    def test_a_stage_that_had_passed_is_proven_anew_before_the_next(self):
        story = a_story_in(Phase.BAKING).tell(s.Pause(BOB)).tick().tell(self.LOST, s.Resume(BOB))
        story.tell(s.Resume(BOB, admin=True, holds=(HoldKind.HISTORY_LOST,)))
        assert (story.release.phase, story.release.stage, story.release.passed) == (Phase.SHIFTING, 0, 0)
        assert story.confirm().release.stage == 1

    def test_resumed_a_promotion_begins_anew(self):
        story = a_story_in(Phase.PROMOTING).tell(self.LOST)
        story.tell(s.Resume(BOB, admin=True, holds=(HoldKind.HISTORY_LOST,))).confirm()
        assert story.said.count("PromotionBegun") == 2
        assert story.release.phase is Phase.PROMOTED

    def test_a_deadline_that_is_over_meanwhile_does_not_keep_it_from_that(self):
        story = a_story_in(Phase.SHIFTING).tell(s.Due(), after=31 * MINUTE)
        assert kinds(story) == [HoldKind.STRAGGLERS]
        assert kinds(story.tell(self.LOST)) == [HoldKind.HISTORY_LOST], "what was not proven is not desired now"
        story.tell(s.Resume(BOB, admin=True, holds=(HoldKind.HISTORY_LOST,)))
        assert (story.said[-1], kinds(story)) == ("StageEntered", [])

    def test_aborted_it_goes_back(self):
        story = a_story_in(Phase.BAKING).tell(self.LOST, s.Abort(BOB)).confirm()
        assert story.release.phase is Phase.ROLLED_BACK


class TestAlerts:
    PLAN = a_plan(abort_on=("CheckoutErrors",))

    def test_one_that_the_service_names_and_that_began_after_the_shift(self):
        story = a_story_in(Phase.BAKING, plan=self.PLAN)
        story.tell(s.AlertFired("CheckoutErrors", story.release.at))
        assert story.release.then is Phase.ROLLED_BACK
        assert story.release.cause is not None
        assert (story.release.cause.kind, story.release.cause.reason) == (CauseKind.ALERT, "CheckoutErrors")

    def test_one_that_began_in_an_earlier_stage_counts(self):
        story = a_story_in(Phase.BAKING, plan=self.PLAN)
        began = story.release.at
        story.tick(after=MINUTE).confirm().tell(s.AlertFired("CheckoutErrors", began))
        assert story.release.phase is Phase.ROLLING_BACK

    @pytest.mark.parametrize("alert", [s.AlertFired("CheckoutErrors", NOW), s.AlertFired("DiskFull", Micros(NOW**2))])
    def test_others_do_nothing(self, alert):
        assert a_story_in(Phase.BAKING, plan=self.PLAN).tell(alert).release.phase is Phase.BAKING


class TestNewerWishes:
    def test_superseded_it_is_back_at_nothing_before_it_is_over(self):
        story = a_story_in(Phase.BAKING).tell(s.SupersededBy(ReleaseId("rel_2")))
        assert story.release.phase is Phase.ROLLING_BACK
        assert story.confirm().release.phase is Phase.SUPERSEDED
        event = story.events[-1]
        assert isinstance(event, Closed)
        assert event.cause.other == "rel_2"

    def test_all_but_done_it_is_not_superseded(self):
        story = a_story_in(Phase.PROMOTING).tell(s.SupersededBy(ReleaseId("rel_2"))).confirm()
        assert story.release.phase is Phase.PROMOTED

    def test_stable_again_goes_straight_back_even_then(self):
        story = a_story_in(Phase.PROMOTING).tell(s.StableAgain(BOB))
        assert (story.release.phase, story.release.then) == (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
        assert story.release.cause is not None
        assert story.release.cause.kind is CauseKind.STABLE_AGAIN


class TestTheFirstVersion:
    def test_it_goes_to_everybody_when_ready(self):
        story = a_story(stable=None).tell(s.WorkloadReady())
        assert story.said == ["Created", "Started", "CandidateReady", "PromotionBegun"]
        assert desired(story.release) == ALL_CANDIDATE
        story.confirm()
        assert story.release.phase is Phase.PROMOTED
        assert story.release.cause is not None
        assert story.release.cause.kind is CauseKind.FIRST_VERSION

    def test_a_pause_holds_it(self):
        story = a_story(stable=None).tell(s.Pause(BOB), s.WorkloadReady())
        assert story.release.phase is Phase.PREPARING

    def test_given_up_under_way_nobody_gets_anything(self):
        story = a_story(stable=None).tell(s.WorkloadReady(), s.Abort(BOB))
        assert desired(story.release) == ALL_STABLE
        assert story.confirm().release.phase is Phase.ROLLED_BACK


class TestTheEndOfAPlan:
    def test_a_switch_to_everybody_is_confirmed_plain(self):
        """Rules and cookies of the last stage are gone in the traffic that is promoted."""
        last = a_stage(100, traffic=Traffic(weight=100, rules=(Rule("preview", (Match(path="/x"),)),)))
        story = a_story_in(Phase.BAKING, plan=a_plan(last)).tick()
        assert desired(story.release) == ALL_CANDIDATE
        assert story.confirm().release.phase is Phase.PROMOTED

    def test_bound_is_what_was_stable_at_its_turn(self):
        story = a_story_in(Phase.BAKING)
        assert story.release.bound is not None
        assert story.release.bound.stable == STABLE
