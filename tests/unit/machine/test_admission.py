import pytest

from delivery.machine.refusal import Refusal
from delivery.model import signal as s
from delivery.model.codec import digest
from delivery.model.event import CauseKind, Created, Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import HOUR, MINUTE, Micros, ReleaseId
from delivery.model.notice import Alert, HandsOff, Notice, ReleaseAction
from delivery.model.plan import Plan
from delivery.model.service import OnNewVersion
from delivery.model.verdict import Verdict
from delivery.model.version import VersionRef
from delivery.testing.builders import (
    ALICE,
    BOB,
    CANDIDATE,
    NOW,
    STABLE,
    TargetStory,
    a_plan,
    a_stage,
    a_target,
    a_version,
    an_approval,
)

NEXT, AFTER_NEXT = a_version("1.4.3"), a_version("1.4.4")


def busy(policy: OnNewVersion = OnNewVersion.QUEUE_LATEST, plan: Plan | None = None) -> TargetStory:
    """1.4.2 has its first 5 percent."""
    story = a_target(plan=plan)
    story.policy = policy
    story.ask()
    return story.tell(s.WorkloadReady()).confirm()


def done(story: TargetStory) -> TargetStory:
    """The active release is promoted."""
    story.act(s.PromoteNow(BOB))
    return story.confirm()


def phases(story: TargetStory) -> dict[int, Phase]:
    return {release.number: release.phase for release in story.world.releases.values()}


class TestAnEventWhereNothingRuns:
    def test_a_release_starts_at_once(self):
        story = a_target()
        admission = story.ask(urgent=True, origin={"commit": "4be1d0c"})
        assert (admission.outcome, admission.reason, admission.release) == ("release", "started", "rel_1")
        created = story.moves[0].event
        assert isinstance(created, Created)
        assert (created.number, created.candidate, created.actor) == (1, CANDIDATE, ALICE)
        assert (created.plan, created.plan_digest) == (story.plan, digest(story.plan))
        assert (created.urgent, created.origin) == (True, {"commit": "4be1d0c"})
        assert (story.world.target.active, story.world.target.number) == ("rel_1", 1)
        assert story.active.phase is Phase.PREPARING

    def test_what_is_stable_already(self):
        admission = a_target().ask(STABLE)
        assert (admission.outcome, admission.reason) == ("no_op", "same_as_stable")

    def test_sameness_is_identity_not_label(self):
        relabelled = VersionRef("1.4.1-hotfix", STABLE.identity)
        assert a_target().ask(relabelled).reason == "same_as_stable"
        rebuilt = VersionRef("1.4.1", "sha256:rebuilt")
        assert a_target().ask(rebuilt).outcome == "release"


class TestOrder:
    def test_older_than_what_was_accepted(self):
        story = busy()
        admission = story.ask(NEXT, time=Micros(NOW - MINUTE))
        assert (admission.outcome, admission.reason, admission.change) == ("no_op", "older_event", None)

    def test_each_source_has_its_own_order(self):
        assert busy().ask(NEXT, time=Micros(NOW - MINUTE), source="argocd").reason == "queued"

    def test_without_a_time_it_is_taken_as_it_comes(self):
        assert busy().ask(NEXT, time=None).reason == "queued"

    def test_a_newer_wish_that_changed_nothing_still_makes_older_ones_older(self):
        story = a_target()
        story.ask(STABLE, time=Micros(NOW + HOUR))
        assert story.moves == []
        assert story.ask(CANDIDATE, time=Micros(NOW + MINUTE)).reason == "older_event"

    @pytest.mark.parametrize("how", ["running", "promoted", "failed"])
    def test_the_same_once_more_changes_nothing(self, how):
        story = a_target()
        story.ask(time=NOW)
        story.tell(s.WorkloadReady()).confirm()
        if how == "promoted":
            done(story)
        if how == "failed":
            story.tick(Verdict.FAIL).confirm()
        world = story.world
        reasons = {"running": "same_as_active", "promoted": "same_as_stable", "failed": "rejected_identity"}
        admission = story.ask(time=NOW, key="another delivery")
        assert (admission.outcome, admission.reason) == ("no_op", reasons[how])
        assert story.world == world

    def test_a_copy_of_what_was_turned_down_begins_nothing_once_there_is_room(self):
        story = busy(OnNewVersion.REJECT)
        assert story.ask(NEXT, time=Micros(NOW + HOUR)).reason == "busy"
        done(story)
        world = story.world
        admission = story.ask(NEXT, time=Micros(NOW + HOUR), key="another delivery")
        assert (admission.outcome, admission.reason, story.world) == ("no_op", "repeated_event", world)
        assert story.ask(NEXT, time=Micros(NOW + HOUR + 1)).outcome == "release"

    def test_a_copy_of_what_was_superseded_supersedes_nothing(self):
        story = busy(OnNewVersion.SUPERSEDE)
        story.ask(NEXT, time=Micros(NOW + HOUR))
        story.confirm()
        story.ask(AFTER_NEXT, time=Micros(NOW + HOUR), urgent=True)
        assert story.ask(NEXT, time=Micros(NOW + HOUR), key="another delivery").reason == "repeated_event"
        assert phases(story) == {1: Phase.SUPERSEDED, 2: Phase.ROLLING_BACK, 3: Phase.QUEUED}

    def test_two_versions_of_one_second_are_two_events(self):
        story = busy()
        assert story.ask(NEXT, time=Micros(NOW + HOUR)).reason == "queued"
        assert story.ask(AFTER_NEXT, time=Micros(NOW + HOUR)).reason == "queued"
        assert phases(story) == {1: Phase.BAKING, 2: Phase.SUPERSEDED, 3: Phase.QUEUED}
        world = story.world
        assert story.ask(NEXT, time=Micros(NOW + HOUR), key="another delivery").reason == "repeated_event"
        assert story.world == world


class TestWhileOneRuns:
    def test_only_the_newest_waits(self):
        story = busy()
        assert story.ask(NEXT).reason == "queued"
        assert story.ask(AFTER_NEXT).reason == "queued"
        assert phases(story) == {1: Phase.BAKING, 2: Phase.SUPERSEDED, 3: Phase.QUEUED}
        cause = story.release(2).cause
        assert cause is not None
        assert (cause.kind, cause.other) == (CauseKind.SUPERSEDED, story.release(3).id)
        done(story)
        assert story.active.number == 3

    def test_supersede_waits_until_the_old_candidate_is_proven_gone(self):
        story = busy(OnNewVersion.SUPERSEDE)
        assert story.ask(NEXT).reason == "superseding"
        assert phases(story) == {1: Phase.ROLLING_BACK, 2: Phase.QUEUED}
        story.confirm()
        assert phases(story) == {1: Phase.SUPERSEDED, 2: Phase.PREPARING}
        assert story.world.target.rejected == ()

    def test_the_superseded_one_may_be_asked_for_again(self):
        story = busy(OnNewVersion.SUPERSEDE)
        story.ask(NEXT)
        assert story.ask(CANDIDATE).outcome == "release"
        assert phases(story) == {1: Phase.ROLLING_BACK, 2: Phase.SUPERSEDED, 3: Phase.QUEUED}

    def test_reject(self):
        story = busy(OnNewVersion.REJECT)
        assert (story.ask(NEXT).reason, phases(story)) == ("busy", {1: Phase.BAKING})

    @pytest.mark.parametrize("policy", [OnNewVersion.QUEUE_LATEST, OnNewVersion.REJECT])
    def test_urgent_supersedes_whatever_the_policy(self, policy):
        story = busy(policy)
        assert story.ask(NEXT, urgent=True).reason == "superseding"

    def test_what_waits_where_history_was_lost_waits_for_a_decision_too(self):
        """Its own abort may be among what is lost."""
        story = busy(OnNewVersion.SUPERSEDE)
        story.ask(NEXT)
        story.tell(s.HistoryLost("a failover", 0)).confirm()
        assert phases(story) == {1: Phase.SUPERSEDED, 2: Phase.PREPARING}
        assert story.active.held(HoldKind.HISTORY_LOST)

    def test_once_somebody_has_decided_it_goes_on(self):
        story = busy()
        story.ask(NEXT)
        story.tell(s.HistoryLost("a failover", 5))
        story.act(s.Resume(BOB, "go on", admin=True, holds=(HoldKind.HISTORY_LOST,)))
        story.act(s.Abort(BOB))
        story.confirm()
        assert (phases(story)[2], story.active.holds) == (Phase.PREPARING, ())

    def test_one_that_is_all_but_promoted_is_waited_for(self):
        story = busy(OnNewVersion.SUPERSEDE)
        story.act(s.PromoteNow(BOB))
        assert story.ask(NEXT).reason == "queued"
        story.confirm()
        assert phases(story) == {1: Phase.PROMOTED, 2: Phase.PREPARING}

    def test_the_same_version_again(self):
        story = busy()
        assert story.ask().reason == "same_as_active"
        story.ask(NEXT)
        assert story.ask(NEXT).reason == "same_as_queued"
        assert phases(story) == {1: Phase.BAKING, 2: Phase.QUEUED}

    def test_the_running_one_again_outdates_what_waits(self):
        """Somebody went back from 1.4.3 to 1.4.2: the newest wish is what runs."""
        story = busy()
        story.ask(NEXT)
        assert (story.ask(CANDIDATE).reason, phases(story)) == ("active_again", {1: Phase.BAKING, 2: Phase.SUPERSEDED})

    def test_but_not_by_an_event_without_order(self):
        story = busy()
        story.ask(NEXT)
        assert story.ask(CANDIDATE, time=None).reason == "same_as_active"
        assert phases(story) == {1: Phase.BAKING, 2: Phase.QUEUED}

    def test_one_that_is_going_back_as_bad_is_not_begun_again(self):
        story = busy().tick(Verdict.FAIL)
        assert story.ask().reason == "same_as_active"

    def test_stable_again_goes_straight_back_and_drops_what_waits(self):
        story = busy()
        story.ask(NEXT)
        admission = story.ask(STABLE, actor=BOB)
        assert (admission.outcome, admission.reason) == ("signal", "stable_again")
        assert phases(story) == {1: Phase.ROLLING_BACK, 2: Phase.CANCELLED}
        story.confirm()
        assert (phases(story)[1], story.world.target.stable) == (Phase.ROLLED_BACK, STABLE)
        assert story.world.target.rejected == ()

    def test_the_event_that_made_it_stable_calls_nothing_back_when_it_comes_once_more(self):
        story = a_target()
        story.ask(time=NOW)
        story.promote()
        story.ask(NEXT, source="argocd")
        assert story.ask(CANDIDATE, time=NOW, key="another delivery").reason == "same_as_stable"
        assert phases(story) == {1: Phase.PROMOTED, 2: Phase.PREPARING}

    def test_stable_again_while_it_goes_back_anyway(self):
        story = busy().tick(Verdict.FAIL)
        assert story.ask(STABLE).reason == "same_as_stable"


class TestKnownToBeBad:
    def test_it_does_not_come_back_by_an_event(self):
        story = busy().tick(Verdict.FAIL).confirm()
        admission = story.ask()
        assert (admission.outcome, admission.reason) == ("no_op", "rejected_identity")
        assert "retry" in admission.text

    def test_but_by_retry(self):
        story = busy().tick(Verdict.FAIL).confirm()
        admission = story.again(story.release(1).id, back=False)
        assert (admission.outcome, admission.reason) == ("release", "started")
        assert (story.active.retry_of, story.active.actor, story.active.candidate) == ("rel_1", BOB, CANDIDATE)

    def test_one_that_never_appeared_is_not_bad(self):
        story = a_target()
        story.ask()
        story.tell(s.WorkloadMissing("deployment"), after=HOUR).confirm()
        assert phases(story) == {1: Phase.FAILED_TO_START}
        assert story.ask().outcome == "release"


class TestRetry:
    def test_by_todays_plan_and_in_the_queue(self):
        story = busy().tick(Verdict.FAIL).confirm()
        story.ask(NEXT)
        story.plan = a_plan(a_stage(1))
        assert story.again(ReleaseId("rel_1"), back=False).reason == "queued"
        assert story.release(3).plan == a_plan(a_stage(1))

    @pytest.mark.parametrize(
        ("case", "why"),
        [
            ("open", "is not over"),
            ("promoted", "nothing to retry"),
            ("twice", "is bringing 1.4.2 already"),
            ("unknown", "not among the newest"),
            ("busy", "reject new versions"),
            ("stable now", "is stable here already"),
        ],
    )
    def test_where_it_makes_no_sense(self, case, why):
        story = busy()
        first = ReleaseId("rel_1")
        if case == "promoted":
            done(story)
        elif case != "open":
            story.tick(Verdict.FAIL).confirm()
        if case == "twice":
            story.again(first, back=False)
        if case == "unknown":
            first = ReleaseId("rel_x")
        if case == "busy":
            story.ask(NEXT)
            story.policy = OnNewVersion.REJECT
        if case == "stable now":
            story.again(first, back=False)
            story.promote()
        with pytest.raises(Refusal, match=why) as caught:
            story.again(first, back=False)
        assert caught.value.kind == "conflict"

    def test_a_promoted_one_that_was_taken_back_is_retried_and_nothing_else_brings_it(self):
        """The next stable version stands on the old one: no rollback leads to what was taken back."""
        story = done(busy(plan=a_plan(a_stage(5), promotion=None)))
        story.again(ReleaseId("rel_1"), back=True)
        story.promote()
        story.ask(NEXT)
        story.promote()
        assert story.ask(CANDIDATE).reason == "rejected_identity"
        admission = story.again(ReleaseId("rel_1"), back=False)
        assert (admission.outcome, story.active.candidate, story.active.retry_of) == ("release", CANDIDATE, "rel_1")


class TestRollback:
    def promoted(self) -> TargetStory:
        return done(busy(plan=a_plan(a_stage(5), promotion=None)))

    def test_straight_to_everybody_when_ready_free_of_approvals(self):
        story = self.promoted()
        story.plan = a_plan(a_stage(5, approval=an_approval()), promotion=an_approval(3))
        admission = story.again(ReleaseId("rel_1"), back=True)
        assert (admission.outcome, admission.reason) == ("release", "started")
        assert (story.active.candidate, story.active.rolls_back) == (STABLE, "rel_1")
        assert story.active.phase is Phase.PREPARING
        assert story.tell(s.WorkloadReady()).active.phase is Phase.PROMOTING
        story.confirm()
        assert (story.world.target.stable, story.release(2).phase) == (STABLE, Phase.PROMOTED)
        assert story.world.target.rejected == (CANDIDATE.identity,)
        assert [entry.version for entry in story.world.target.retiring] == [CANDIDATE]

    def test_it_takes_the_place_of_what_runs(self):
        story = self.promoted()
        story.ask(NEXT)
        story.tell(s.WorkloadReady()).confirm()
        assert story.again(ReleaseId("rel_1"), back=True).reason == "superseding"
        story.confirm()
        assert story.active.rolls_back == "rel_1"

    def test_no_event_takes_its_place_or_calls_it_off(self):
        story = self.promoted()
        story.again(ReleaseId("rel_1"), back=True)
        assert story.ask(CANDIDATE).reason == "being_rolled_back"
        assert story.ask(NEXT, urgent=True).reason == "queued"
        assert story.active.rolls_back == "rel_1"

    def test_given_up_it_says_nothing_against_the_old_version(self):
        story = self.promoted()
        story.again(ReleaseId("rel_1"), back=True)
        story.act(s.Abort(BOB))
        story.confirm()
        assert (story.world.target.stable, story.world.target.rejected) == (CANDIDATE, ())

    def test_only_of_what_was_promoted(self):
        story = busy().tick(Verdict.FAIL).confirm()
        with pytest.raises(Refusal, match="was not promoted") as caught:
            story.again(ReleaseId("rel_1"), back=True)
        assert caught.value.allowed == ("retry",)

    def test_not_of_the_first_version(self):
        story = a_target(stable=None)
        story.ask()
        story.promote()
        with pytest.raises(Refusal, match="first version"):
            story.again(ReleaseId("rel_1"), back=True)

    def test_only_of_what_is_stable_now(self):
        story = self.promoted()
        story.ask(NEXT)
        story.promote()
        with pytest.raises(Refusal, match=r"not stable any more: 1.4.3 is; roll back the release that brought 1.4.3"):
            story.again(ReleaseId("rel_1"), back=True)

    def test_not_once_more_where_it_was_rolled_back(self):
        story = self.promoted()
        story.again(ReleaseId("rel_1"), back=True)
        story.promote()
        with pytest.raises(Refusal, match=r"not stable any more: 1.4.1, which it replaced, is stable again"):
            story.again(ReleaseId("rel_1"), back=True)

    def test_not_twice_at_once(self):
        story = self.promoted()
        story.again(ReleaseId("rel_1"), back=True)
        with pytest.raises(Refusal, match="already"):
            story.again(ReleaseId("rel_1"), back=True)


class TestActions:
    def test_a_word_to_the_release_that_runs(self):
        story = busy()
        admission = story.act(s.Pause(BOB))
        assert (admission.outcome, admission.reason, admission.release) == ("signal", "paused", "rel_1")

    def test_to_one_that_waits(self):
        story = busy()
        story.ask(NEXT)
        assert story.act(s.Abort(BOB), story.release(2).id).reason == "aborted"
        assert phases(story)[2] is Phase.CANCELLED

    def test_to_one_that_is_over(self):
        story = done(busy())
        with pytest.raises(Refusal, match="it is over") as caught:
            story.act(s.Abort(BOB), ReleaseId("rel_1"))
        assert caught.value.allowed == ("rollback",)

    def test_to_one_that_is_not_there(self):
        with pytest.raises(Refusal, match="rel_x"):
            a_target().admit(Notice("api", "k", "", ReleaseAction(ReleaseId("rel_x"), s.Abort(BOB))))


class TestAlerts:
    def alert(self, name: str = "CheckoutErrors", started: int = HOUR) -> Notice:
        return Notice("alertmanager", name, "", Alert(name, Micros(NOW + started)))

    def test_one_that_counts_takes_the_release_back(self):
        story = busy(plan=a_plan(abort_on=("CheckoutErrors",)))
        admission = story.admit(self.alert())
        assert (admission.outcome, admission.reason) == ("signal", "aborted")
        assert story.active.phase is Phase.ROLLING_BACK

    @pytest.mark.parametrize(
        ("notice", "reason"),
        [
            (("DiskFull", HOUR), "alert_not_named"),
            (("CheckoutErrors", 0), "alert_before_shift"),
        ],
    )
    def test_others_are_told_why_not(self, notice, reason):
        story = busy(plan=a_plan(abort_on=("CheckoutErrors",)))
        admission = story.admit(self.alert(*notice))
        assert (admission.outcome, admission.reason, admission.change) == ("no_op", reason, None)
        assert admission.text

    def test_without_traffic_there_is_nothing_to_take_back(self):
        story = a_target(plan=a_plan(abort_on=("CheckoutErrors",)))
        assert story.admit(self.alert()).reason == "no_release"
        story.ask()
        assert story.admit(self.alert()).reason == "alert_no_traffic"


class TestBreakGlass:
    """A person takes the routes in hand: nothing of ours is written until they give them back."""

    def hands(self, off: bool, reason: str = "shifting by hand") -> Notice:
        return Notice("api", f"hands-{off}", "", HandsOff(service="checkout", off=off, actor=BOB, reason=reason))

    def test_off_and_on_again(self):
        story = busy()
        admission = story.admit(self.hands(True))
        assert (admission.outcome, admission.reason, admission.release) == ("signal", "paused", "rel_1")
        assert [story.world.target.paused] == ["bob: shifting by hand"]
        assert story.admit(self.hands(True)).reason == "as_before"
        assert story.admit(self.hands(False)).reason == "resumed"
        assert [story.world.target.paused] == [None]
        assert story.admit(self.hands(False)).reason == "as_before"

    def test_it_takes_a_reason(self):
        with pytest.raises(Refusal) as caught:
            a_target().admit(self.hands(True, ""))
        assert caught.value.kind == "needs_reason"
