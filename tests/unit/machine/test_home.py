"""Where a service's owners keep a workload of their own: what is stable is found there, and promoting ends there."""

from dataclasses import replace

import pytest

from delivery.machine import backends
from delivery.machine.advance import DRAIN
from delivery.machine.announce import announce
from delivery.machine.desired import desired
from delivery.machine.wake import wake
from delivery.machine.wants import wants
from delivery.model import signal as s
from delivery.model.effect import (
    ConfirmTraffic,
    EnsureWorkload,
    FindStable,
    Measure,
    PromoteWorkload,
    PublishBackend,
    WriteTraffic,
)
from delivery.model.event import Cause, CauseKind, HomeBegun, Phase, RollbackBegun
from delivery.model.hold import HoldKind
from delivery.model.ids import HOUR, Micros, ReleaseId
from delivery.model.place import Mode, Place, Promotion
from delivery.model.plan import placed
from delivery.model.release import Bound, Home
from delivery.model.target import Retiring
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Match, Mirror, Rule, Traffic
from delivery.model.verdict import Verdict
from delivery.model.version import Backend
from delivery.testing.builders import (
    BOB,
    CANDIDATE,
    ERRORS,
    NOW,
    STABLE,
    Story,
    TargetStory,
    a_gate,
    a_plan,
    a_stage,
    a_story,
    a_target,
    a_version,
    an_approval,
)
from delivery.wording.history import line

CLONE = a_plan(a_stage(5), mode=Mode.CLONE, home=Promotion.PATCH, abort_on=("CheckoutErrors",))
BY_PEOPLE = replace(CLONE, home=Promotion.NONE)
VERSIONED = a_plan(a_stage(5), mode=Mode.VERSIONED)
OTHER = a_version("1.4.0")
BETA = Rule("beta", (Match(path="/beta"),))


def promoting(plan=CLONE) -> Story:
    """The copy has everything, proven."""
    story = a_story(plan=plan).tell(s.StableIs(STABLE), s.WorkloadReady()).confirm()
    return story.tell(s.PromoteNow(BOB)).confirm()


def running(plan=CLONE) -> TargetStory:
    story = a_target(plan=plan)
    story.ask()
    return story.tell(s.StableIs(STABLE), s.WorkloadReady()).confirm()


class TestWhatIsStable:
    def test_nothing_is_started_before_it_is_known(self):
        story = a_story(plan=CLONE)
        assert wants(story.release, NOW) == (FindStable(),)
        assert wake(story.release, story.context).why == "what its owners run now being found"
        story.tell(s.StableIs(STABLE))
        assert wants(story.release, NOW)[0] == EnsureWorkload(STABLE, home=True)

    def test_what_they_run_is_stable_whatever_was_recorded(self):
        story = a_target(plan=CLONE)
        story.ask()
        story.tell(s.StableIs(OTHER))
        assert story.active.bound == Bound(OTHER, CANDIDATE)
        assert story.world.target.stable == OTHER

    def test_a_version_that_was_released_keeps_its_name(self):
        story = a_target(plan=CLONE)
        story.ask()
        story.tell(s.StableIs(replace(STABLE, version="latest")))
        assert story.world.target.stable == STABLE
        assert story.active.bound == Bound(STABLE, CANDIDATE)

    def test_a_stranger_is_adopted(self):
        story = a_target(plan=CLONE, stable=None)
        story.ask()
        story.tell(s.StableIs(STABLE), s.WorkloadReady()).confirm()
        assert (story.active.phase, story.active.stage) == (Phase.BAKING, 0)
        assert story.world.target.stable == STABLE

    def test_where_nothing_runs_it_is_the_first_version(self):
        story = a_target(plan=CLONE, stable=None)
        story.ask()
        story.promote()
        release = story.release(1)
        assert (release.phase, release.cause) == (Phase.PROMOTED, Cause(CauseKind.FIRST_VERSION))
        assert release.home is Home.ENTERED

    def test_what_runs_already_is_not_released(self):
        story = a_target(plan=CLONE, stable=None)
        story.ask()
        story.tell(s.StableIs(CANDIDATE))
        release = story.release(1)
        assert (release.phase, release.cause) == (Phase.CANCELLED, Cause(CauseKind.STABLE_AGAIN))
        assert (story.world.target.stable, story.world.target.retiring) == (CANDIDATE, ())

    def test_without_their_workload_it_fails_to_start_and_says_what_was_looked_for(self):
        story = a_target(plan=CLONE, stable=None)
        story.ask()
        story.tell(s.StableMissing("Deployment checkout in namespace shop"))
        release = story.release(1)
        wanted = Cause(CauseKind.STABLE_MISSING, reason="Deployment checkout in namespace shop")
        assert (release.phase, release.cause) == (Phase.FAILED_TO_START, wanted)
        assert story.world.target.rejected == ()

    def test_a_cluster_that_does_not_answer_is_waited_for_as_long_as_the_candidate(self):
        story = a_story(plan=CLONE).tell(s.WorkloadMissing("the API server does not answer"))
        assert story.release.phase is Phase.PREPARING
        late = story.tell(s.WorkloadMissing("the API server does not answer"), after=HOUR).confirm().release
        assert late.phase is Phase.FAILED_TO_START

    def test_the_candidates_own_time_begins_when_it_can_be_started(self):
        story = a_story(plan=CLONE).tell(s.StableIs(STABLE), after=HOUR)
        story.tell(s.WorkloadMissing("0 of 1 pods"))
        assert story.release.phase is Phase.PREPARING

    def test_versions_of_their_own_are_looked_for_only_where_none_is_known(self):
        assert FindStable() not in wants(a_story(plan=VERSIONED).release, NOW)
        assert wants(a_story(stable=None, plan=VERSIONED).release, NOW) == (FindStable(),)

    def test_it_is_told_once(self):
        story = a_story(plan=CLONE).tell(s.StableIs(STABLE), s.StableIs(OTHER), s.StableMissing("gone"))
        assert story.said.count("StableFound") == 1
        assert story.release.bound == Bound(STABLE, CANDIDATE)

    def test_somebody_who_changes_it_meanwhile_holds_the_release(self):
        story = a_story(plan=CLONE).tell(s.StableIs(STABLE), s.WorkloadReady()).confirm()
        story.tell(s.StableUnready("Deployment checkout to run 1.4.1, it runs 1.4.0"))
        assert story.release.held(HoldKind.STABLE_UNREADY)
        assert "it runs 1.4.0" in story.release.holds[0].detail


class TestOnTheWayHome:
    def test_the_copy_has_everything_before_anything_at_home_is_touched(self):
        story = a_story(plan=CLONE).tell(s.StableIs(STABLE), s.WorkloadReady()).confirm().tell(s.PromoteNow(BOB))
        assert (story.release.phase, story.release.home) == (Phase.PROMOTING, None)
        assert not any(isinstance(effect, PromoteWorkload) for effect in wants(story.release, NOW))
        story.confirm()
        assert story.said[-1] == "HomeBegun"
        release = story.release
        assert wants(release, NOW) == (
            EnsureWorkload(CANDIDATE),
            PublishBackend(CANDIDATE),
            WriteTraffic(release.dseq, ALL_CANDIDATE),
            PromoteWorkload(CANDIDATE),
        )

    def test_then_traffic_goes_home_and_only_then_it_is_promoted(self):
        story = promoting()
        story.tell(s.HomeReady(CANDIDATE))
        release = story.release
        assert (release.home, release.dseq) == (Home.ENTERED, release.seq)
        assert release.confirmed < release.dseq
        assert desired(release) == ALL_STABLE
        assert backends.roles(release, "checkout") == (Backend("checkout", CANDIDATE, home=True), None)
        assert wants(release, NOW)[-2:] == (WriteTraffic(release.dseq, ALL_STABLE), ConfirmTraffic(release.dseq))
        story.confirm()
        assert story.said[-2:] == ["TrafficConfirmed", "Promoted"]
        assert wants(story.release, NOW) == (WriteTraffic(release.dseq, ALL_STABLE),)

    def test_before_that_stable_is_at_home_and_the_candidate_is_not(self):
        story = promoting()
        assert backends.roles(story.release, "checkout") == (
            Backend("checkout", STABLE, home=True),
            Backend("checkout", CANDIDATE),
        )

    def test_another_version_at_home_is_not_what_is_waited_for(self):
        story = promoting().tell(s.HomeReady(STABLE))
        assert story.release.home is Home.BEGUN

    def test_that_stable_goes_is_no_news_then(self):
        story = promoting().tell(s.StableUnready("it runs 1.4.2"))
        assert story.release.holds == ()

    def test_people_are_called_where_they_have_to_do_it(self):
        story = promoting(BY_PEOPLE)
        assert wake(story.release, story.context).why == "somebody to have its owners' own workload run 1.4.2"
        event = story.events[-1]
        assert isinstance(event, HomeBegun)
        (message,) = announce(story.release, event, story.release)
        assert message.call
        (message,) = announce(story.release, event, replace(story.release, plan=CLONE))
        assert not message.call
        assert wake(promoting().release, story.context).why == "its owners' own workload running 1.4.2"

    def test_the_copy_goes_when_its_requests_have_ended_and_nothing_else_does(self):
        story = running()
        story.promote()
        target, at = story.world.target, story.moves[-1].event.at
        assert target.stable == CANDIDATE
        after = Micros(at + DRAIN)
        assert target.retiring == (Retiring(STABLE, after), Retiring(CANDIDATE, after, copy=True))
        assert target.resting == at + DRAIN

    def test_what_its_owners_replaced_is_to_be_forgotten(self):
        story = running()
        story.promote()
        story.ask(a_version("1.4.3"))
        story.tell(s.StableIs(OTHER))
        assert [entry.version for entry in story.world.target.retiring if not entry.copy] == [STABLE, CANDIDATE]
        assert story.world.target.stable == OTHER

    def test_the_next_release_leaves_the_old_copy_to_go(self):
        story = running()
        story.promote()
        story.ask(a_version("1.4.3"))
        assert [entry.version for entry in story.world.target.retiring] == [STABLE, CANDIDATE]
        assert story.world.target.resting is None

    def test_a_rollback_of_it_prepares_the_old_version_as_a_copy(self):
        story = running()
        story.promote()
        story.again(story.release(1).id, back=True)
        story.tell(s.StableIs(CANDIDATE))
        assert EnsureWorkload(STABLE) in wants(story.active, NOW)
        story.promote()
        assert story.world.target.stable == STABLE
        assert story.release(2).home is Home.ENTERED

    def test_lost_history_stops_it_until_a_person_decides(self):
        story = promoting().tell(s.HistoryLost("the stamp of event 12", 0))
        assert not any(isinstance(effect, PromoteWorkload) for effect in wants(story.release, NOW))
        story.tell(s.HomeReady(CANDIDATE))
        assert story.release.home is Home.BEGUN
        story.tell(s.Resume(BOB, "seen", admin=True, holds=(HoldKind.HISTORY_LOST,)))
        assert story.said[-1] == "PromotionBegun"
        story.confirm()
        assert PromoteWorkload(CANDIDATE) in wants(story.release, NOW)


BACK = {
    "a person": s.Abort(BOB),
    "an alert": s.AlertFired("CheckoutErrors", Micros(NOW + HOUR)),
    "home that cannot run it": s.WorkloadFailing("ImagePullBackOff"),
}


class TestBackFromHome:
    @pytest.mark.parametrize("why", BACK)
    @pytest.mark.parametrize("entered", [False, True])
    def test_traffic_goes_home_at_once_and_home_back_to_stable(self, why, entered):
        story = promoting()
        if entered:
            story.tell(s.HomeReady(CANDIDATE))
        story.tell(BACK[why])
        release = story.release
        assert (release.phase, release.stay) == (Phase.ROLLING_BACK, False)
        assert backends.roles(release, "checkout")[0] == Backend("checkout", STABLE, home=True)
        assert wants(release, NOW) == (
            WriteTraffic(release.dseq, ALL_STABLE),
            ConfirmTraffic(release.dseq),
            PromoteWorkload(STABLE),
        )

    def test_it_is_over_only_when_home_runs_stable_again(self):
        story = promoting().tell(s.Abort(BOB)).confirm()
        assert story.release.phase is Phase.ROLLING_BACK
        assert wake(story.release, story.context).why == "its owners' own workload running stable again"
        story.tell(s.HomeReady(CANDIDATE))
        assert story.release.phase is Phase.ROLLING_BACK, "that is what it is to leave"
        over = story.tell(s.HomeReady(STABLE)).release
        assert story.said[-2:] == ["HomeRestored", "Closed"]
        assert over.phase is Phase.ROLLED_BACK

    def test_nor_before_the_proxies_proved_the_way_back(self):
        story = promoting().tell(s.Abort(BOB), s.HomeReady(STABLE))
        assert story.release.phase is Phase.ROLLING_BACK
        assert story.confirm().release.phase is Phase.ROLLED_BACK

    def test_a_stable_that_cannot_come_back_calls_people_and_holds_nobody_anywhere_else(self):
        story = promoting().tell(s.Abort(BOB)).confirm().tell(s.StableUnready("ImagePullBackOff"))
        assert story.release.held(HoldKind.STABLE_UNREADY)
        assert desired(story.release) == ALL_STABLE
        story.tell(s.HomeReady(STABLE))
        assert story.release.phase is Phase.ROLLED_BACK

    def test_before_home_was_touched_nothing_there_is_to_be_undone(self):
        story = a_story(plan=CLONE).tell(s.StableIs(STABLE), s.WorkloadReady()).confirm().tell(s.Abort(BOB)).confirm()
        assert story.release.phase is Phase.ROLLED_BACK

    def test_a_stable_that_is_down_keeps_users_with_the_copy_as_long_as_home_is_its_own(self):
        story = a_story(plan=CLONE).tell(s.StableIs(STABLE), s.WorkloadReady()).confirm()
        assert story.tell(s.StableUnready("0 of 3 pods"), s.Abort(BOB)).release.stay


class TestCapacity:
    def test_it_is_made_ready_for_its_first_share_only(self):
        story = a_story(plan=CLONE).tell(s.StableIs(STABLE))
        assert EnsureWorkload(CANDIDATE, share=5) in wants(story.release, NOW)
        story.tell(s.WorkloadReady(5))
        assert (story.release.phase, story.release.share) == (Phase.SHIFTING, 5)

    def test_it_grows_before_the_raise_and_no_sooner(self):
        plan = replace(CLONE, stages=(a_stage(5), a_stage(50)))
        story = a_story(plan=plan).tell(s.StableIs(STABLE), s.WorkloadReady(5)).confirm()
        assert EnsureWorkload(CANDIDATE, share=5) in wants(story.release, NOW)
        story.tick()
        assert (story.release.passed, story.release.stage) == (0, 0), "it has passed, and does not rise"
        assert EnsureWorkload(CANDIDATE, share=50) in wants(story.release, NOW)
        assert wake(story.release, story.context).why == "the candidate being ready for 50 %"
        story.tell(s.WorkloadMissing("3 of 10 pods"))
        assert story.release.held(HoldKind.CANDIDATE_UNREADY)
        assert EnsureWorkload(CANDIDATE, share=50) in wants(story.release, NOW), "it goes on growing"
        story.tell(s.WorkloadReady(50))
        assert (story.release.stage, story.release.share, story.release.holds) == (1, 50, ())

    def test_nor_does_a_person_raise_it_before(self):
        story = a_story(plan=CLONE).tell(s.StableIs(STABLE), s.WorkloadReady(5)).confirm().tell(s.PromoteNow(BOB))
        assert story.release.phase is Phase.BAKING
        assert EnsureWorkload(CANDIDATE, share=100) in wants(story.release, NOW)
        story.tell(s.WorkloadReady(5))
        assert story.release.phase is Phase.BAKING
        assert story.tell(s.WorkloadReady(100)).release.phase is Phase.PROMOTING

    def test_while_somebody_is_asked_it_costs_no_more_than_it_must(self):
        plan = replace(CLONE, stages=(a_stage(5), a_stage(50, approval=an_approval())))
        story = a_story(plan=plan).tell(s.StableIs(STABLE), s.WorkloadReady(5)).confirm().tick()
        assert story.release.held(HoldKind.APPROVAL)
        assert EnsureWorkload(CANDIDATE, share=5) in wants(story.release, NOW)
        story.tell(s.Approve(BOB))
        assert EnsureWorkload(CANDIDATE, share=50) in wants(story.release, NOW)

    def test_it_never_shrinks(self):
        mirror = a_stage(0, name="mirror", traffic=Traffic(mirror=Mirror(80)))
        plan = replace(CLONE, stages=(mirror, a_stage(5)))
        story = a_story(plan=plan).tell(s.StableIs(STABLE), s.WorkloadReady(80)).confirm().tick()
        assert (story.release.stage, story.release.share) == (1, 80)
        assert EnsureWorkload(CANDIDATE, share=80) in wants(story.release, NOW)

    def test_a_rule_may_send_everybody(self):
        plan = replace(CLONE, stages=(a_stage(0, traffic=Traffic(rules=(BETA,))),))
        story = a_story(plan=plan).tell(s.StableIs(STABLE))
        assert EnsureWorkload(CANDIDATE, share=100) in wants(story.release, NOW)

    def test_what_a_rollback_would_go_back_to_is_kept_for_its_window(self):
        story = a_target(plan=VERSIONED)
        story.ask()
        story.promote()
        target, at = story.world.target, story.moves[-1].event.at
        assert target.resting == at + story.plan.rollback_window
        (kept,) = target.retiring
        assert (kept.version, kept.after, kept.kept_for is not None) == (STABLE, at + HOUR, True)

    def test_a_candidate_that_had_traffic_has_time_to_end_its_requests(self):
        story = running()
        story.act(s.Abort(BOB))
        story.confirm()
        at = story.release(1).at
        assert story.world.target.retiring == (Retiring(CANDIDATE, Micros(at + DRAIN), copy=True),)
        assert story.world.target.resting == at + DRAIN

    def test_where_all_is_ours_any_share_is_carried(self):
        story = a_story().tell(s.WorkloadReady())
        assert EnsureWorkload(CANDIDATE) in wants(story.release, NOW)
        assert story.release.share is None


class TestObserving:
    """Somebody else rolled it out in place; the event came after."""

    GATE = a_gate(at_full=True)
    PLACE = Place("shop", "checkout", "checkout", mode=Mode.OBSERVE)
    PLAN = placed(a_plan(a_stage(5), a_stage(50, bake=Micros(HOUR)), gates=(GATE,)), PLACE)

    def story(self) -> TargetStory:
        story = a_target(plan=self.PLAN)
        story.ask()
        return story.tell(s.WorkloadReady())

    def test_it_is_one_look_by_the_gates_that_can_say_something(self):
        (stage,) = self.PLAN.stages
        assert (stage.name, stage.bake, stage.gates, stage.approval) == ("observe", HOUR, (ERRORS,), None)
        assert placed(self.PLAN, self.PLACE) == self.PLAN
        (deaf,) = placed(a_plan(), self.PLACE).stages
        assert deaf.gates == (), "without stable's requests there is nothing to compare with"

    def test_it_is_measured_at_once_and_nothing_is_written_or_started(self):
        story = a_target(plan=self.PLAN)
        story.ask()
        assert wants(story.active, NOW) == (EnsureWorkload(CANDIDATE, home=True),)
        story.tell(s.WorkloadReady())
        assert story.active.phase is Phase.BAKING
        assert wants(story.active, NOW) == (
            EnsureWorkload(CANDIDATE, home=True),
            Measure(0, story.active.dseq),
        )
        assert backends.stable(story.active, "checkout") is None

    def test_what_nothing_speaks_against_is_stable(self):
        story = self.story()
        story.tick()
        release = story.release(1)
        assert release.phase is Phase.PROMOTED
        assert wants(release, NOW) == ()
        target = story.world.target
        assert (target.stable, target.retiring, target.resting) == (CANDIDATE, (), None)

    def test_what_is_bad_is_said_and_nothing_goes_back(self):
        story = self.story()
        story.tick(Verdict.FAIL)
        release, last = story.release(1), story.moves[-1]
        assert (release.phase, story.world.target.stable) == (Phase.WITHDRAWN, STABLE)
        assert not any(isinstance(move.event, RollbackBegun) for move in story.moves)
        assert story.world.target.retiring == ()
        assert wants(release, NOW) == ()
        (message,) = announce(last.before, last.event, last.after)
        assert message.call
        assert "we moved nothing" in line(last.event, release.plan)

    @pytest.mark.parametrize(
        ("signal", "phase"),
        [(s.Abort(BOB), Phase.WITHDRAWN), (s.SupersededBy(ReleaseId("rel_9")), Phase.SUPERSEDED)],
    )
    def test_an_end_needs_no_way_back(self, signal, phase):
        story = self.story()
        story.tell(signal)
        assert story.release(1).phase is phase

    def test_the_first_version_is_judged_too(self):
        story = a_target(plan=self.PLAN, stable=None)
        story.ask()
        story.tell(s.WorkloadReady())
        assert story.active.phase is Phase.BAKING

    def test_a_rollback_waits_until_somebody_has_rolled_back(self):
        story = self.story()
        story.tick()
        story.again(story.release(1).id, back=True)
        assert wants(story.active, NOW) == (EnsureWorkload(STABLE, home=True),)
        story.tell(s.WorkloadReady())
        assert story.world.target.stable == STABLE


class TestThePlan:
    def test_it_follows_from_where_the_service_lives(self):
        plan = a_plan()
        clone = Place("shop", "checkout", "checkout")
        assert (placed(plan, clone).mode, placed(plan, clone).home) == (Mode.CLONE, Promotion.PATCH)
        assert placed(plan, replace(clone, promotion=Promotion.NONE)).home is Promotion.NONE
        versioned = placed(plan, replace(clone, mode=Mode.VERSIONED))
        assert (versioned.mode, versioned.home) == (Mode.VERSIONED, None)
        assert placed(versioned, None) == plan
