"""What follows from a release without deciding anything: standing work, the time to wake, messages, actions."""

from dataclasses import replace

import pytest

from delivery.machine.announce import announce
from delivery.machine.evolve import evolve
from delivery.machine.wake import wake
from delivery.machine.wants import wants
from delivery.model import signal as s
from delivery.model.context import Context, Freeze
from delivery.model.effect import ConfirmTraffic, EnsureWorkload, Measure, PublishBackend, WriteTraffic
from delivery.model.event import EVENTS, Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import HOUR, MINUTE, SECOND, Micros
from delivery.model.message import Message
from delivery.model.plan import Plan
from delivery.model.release import Release
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Traffic
from delivery.model.verdict import Verdict
from delivery.testing.builders import (
    BOB,
    CANDIDATE,
    NOW,
    STABLE,
    Story,
    a_created,
    a_plan,
    a_release,
    a_stage,
    a_story,
    a_story_in,
    an_approval,
)


def ups(*versions):
    return tuple(effect for version in versions for effect in (EnsureWorkload(version), PublishBackend(version)))


class TestWants:
    def test_nothing_while_it_waits(self):
        assert wants(a_release(Phase.QUEUED), NOW) == ()

    def test_workloads_and_backends_before_the_route_that_names_them(self):
        assert wants(a_release(Phase.PREPARING), NOW) == ups(STABLE, CANDIDATE)
        release = a_release(Phase.SHIFTING)
        assert wants(release, NOW) == (
            *ups(STABLE, CANDIDATE),
            WriteTraffic(release.dseq, Traffic(weight=5)),
            ConfirmTraffic(release.dseq),
        )

    def test_measuring_while_it_bakes_also_after_it_passed(self):
        story = a_story_in(Phase.BAKING).tell(s.Pause(BOB))
        for _ in range(2):
            release = story.release
            assert wants(release, NOW)[-2:] == (WriteTraffic(release.dseq, Traffic(weight=5)), Measure(0, release.dseq))
            story.tick()
        assert story.release.passed == 0

    def test_a_revert_is_written_before_anything_else_and_the_candidate_is_wanted_no_more(self):
        release = a_release(Phase.ROLLING_BACK)
        assert wants(release, NOW) == (
            WriteTraffic(release.dseq, ALL_STABLE),
            ConfirmTraffic(release.dseq),
            *ups(STABLE),
        )

    def test_but_where_users_stay_with_it(self):
        story = a_story_in(Phase.BAKING).tell(s.StableUnready("0 of 3 pods"), s.Abort(BOB)).confirm()
        assert wants(story.release, NOW) == (
            WriteTraffic(story.release.dseq, Traffic(weight=5)),
            *ups(STABLE, CANDIDATE),
        )

    def test_everything_for_everybody(self):
        release = a_release(Phase.PROMOTING)
        assert WriteTraffic(release.dseq, ALL_CANDIDATE) in wants(release, NOW)

    @pytest.mark.parametrize(("phase", "traffic"), [(Phase.PROMOTED, ALL_CANDIDATE), (Phase.ROLLED_BACK, ALL_STABLE)])
    def test_a_finished_release_wants_its_traffic_kept_and_no_more(self, phase, traffic):
        release = a_release(phase)
        assert wants(release, NOW) == (WriteTraffic(release.dseq, traffic),)

    def test_one_that_never_had_traffic_wants_nothing_in_the_end(self):
        assert wants(a_story(stable=None).tell(s.Abort(BOB)).release, NOW) == ()

    def test_a_first_version_has_no_stable_to_ensure(self):
        assert wants(a_story(stable=None).release, NOW) == ups(CANDIDATE)

    def test_a_route_that_is_ahead_of_us_is_written_even_before_our_own_first_traffic(self):
        story = a_story().tell(s.HistoryLost("the stamp of event 12", 25))
        assert wants(story.release, NOW)[-1] == WriteTraffic(0, ALL_STABLE)


class TestWake:
    def test_closed_and_queued_wait_for_no_time(self):
        assert wake(a_release(Phase.PROMOTED), Context(NOW)).at is None
        queued = wake(a_release(Phase.QUEUED), Context(NOW))
        assert (queued.at, queued.why) == (None, "its turn: the release before it")

    @pytest.mark.parametrize("phase", [phase for phase in Phase if not phase.closed and phase is not Phase.QUEUED])
    def test_every_other_release_has_a_time_soon(self, phase):
        due = wake(a_release(phase), Context(NOW))
        assert due.at is not None
        assert NOW < due.at <= NOW + 15 * SECOND
        assert due.why

    def test_the_reasons(self):
        assert wake(a_release(Phase.PREPARING), Context(NOW)).why == "the candidate being ready"
        assert wake(a_release(Phase.SHIFTING), Context(NOW)).why == "the proxies' confirmation"
        story = a_story_in(Phase.BAKING)
        assert wake(story.release, story.context).why == "the next measurement"
        assert wake(story.release, Context(Micros(NOW + 5 * MINUTE))).why == "the bake's end"

    def test_the_earliest_of_all_that_time_changes(self):
        plan = a_plan(a_stage(5), a_stage(50, approval=an_approval(expires=SECOND)))
        story = a_story_in(Phase.BAKING, plan=plan).tick()
        due = wake(story.release, story.context)
        assert (due.at, due.why) == (story.release.at + SECOND, "the approval expires")
        soon = replace(story.context, freeze_edge=Micros(story.context.now + 1))
        assert wake(story.release, soon).why == "a freeze begins"
        window = Freeze("weekend", NOW, Micros(story.context.now + 2))
        assert wake(story.release, replace(soon, freeze=window)).why == "the freeze ends"

    def test_the_time_to_appear_and_the_deadline(self):
        started = a_story().release
        almost = Context(Micros(started.deadline_at + started.deadline_left - 1))
        assert wake(started, almost).why == "the candidate's time to appear ends"
        baking = a_release(Phase.BAKING)
        almost = Context(Micros(baking.deadline_at + baking.deadline_left - 1))
        assert wake(baking, almost).why == "the stage's deadline"
        passed = replace(baking, passed=0)
        assert wake(passed, almost).why == "the next measurement"

    def test_users_that_stay_wait_for_stable(self):
        story = a_story_in(Phase.BAKING).tell(s.StableUnready("0 of 3 pods"), s.Abort(BOB))
        assert wake(story.release, story.context).why == "stable being ready"


def messages(story: Story) -> list[Message]:
    """All that a history announces."""
    found: list[Message] = []
    before: Release | None = None
    for event in story.events:
        after = evolve(before, event)
        found += announce(before, event, after)
        before = after
    return found


def calls(story: Story) -> list[str]:
    return [message.topic for message in messages(story) if message.call]


class TestAnnounce:
    def test_a_good_release_tells_each_transition_and_calls_nobody(self):
        story = a_story_in(Phase.SHIFTING).confirm().tick(Verdict.PASS).confirm().tick().confirm()
        assert [message.topic for message in messages(story)] == [
            "created",
            "started",
            "stage_entered",
            "traffic_confirmed",
            "stage_entered",
            "traffic_confirmed",
            "promotion_begun",
            "promoted",
        ]
        assert calls(story) == []

    def test_each_message_names_its_event(self):
        story = a_story_in(Phase.BAKING)
        last = messages(story)[-1]
        assert (last.release, last.seq, last.event) == (story.release.id, story.release.seq, story.events[-1])

    def test_a_release_that_goes_back_by_itself_calls(self):
        story = a_story_in(Phase.BAKING).tick(Verdict.FAIL).confirm()
        assert [message.topic for message in messages(story)][-4:] == [
            "verdict_changed",
            "rollback_begun",
            "traffic_confirmed",
            "closed",
        ]
        assert calls(story) == ["rollback_begun"]

    @pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.SUPERSEDED, Phase.WITHDRAWN, Phase.CANCELLED])
    def test_one_that_somebody_took_back_does_not(self, phase):
        assert calls(a_story_in(phase)) == []

    def test_a_release_that_never_had_traffic_is_not_said_to_go_back(self):
        story = a_story_in(Phase.FAILED_TO_START)
        assert "rollback_begun" not in [message.topic for message in messages(story)]
        assert calls(story) == ["closed"]

    @pytest.mark.parametrize(
        ("trouble", "topic"),
        [
            (s.Unconfirmed(4, ("gateway-1",)), "hold_placed"),
            (s.StableUnready("0 of 3 pods"), "hold_placed"),
            (s.MeshDown("connection refused"), "mesh_failing"),
            (s.HistoryLost("the stamp of event 12", 0), "history_lost"),
        ],
    )
    def test_trouble_calls(self, trouble, topic):
        assert topic in calls(a_story_in(Phase.SHIFTING).tell(trouble))

    def test_an_approval_calls_and_a_pause_does_not(self):
        plan = a_plan(a_stage(5), a_stage(50, approval=an_approval()))
        assert calls(a_story_in(Phase.BAKING, plan=plan).tick()) == ["hold_placed"]
        assert calls(a_story_in(Phase.BAKING).tell(s.Pause(BOB))) == []

    def test_missing_data_calls_only_when_it_has_lasted_too_long(self):
        story = a_story_in(Phase.BAKING).tick(Verdict.NO_DATA)
        assert calls(story) == []
        assert calls(story.tell(s.Due(), after=HOUR)) == ["hold_placed"]

    def test_users_that_stay_with_the_candidate_call_whoever_asked_for_it(self):
        story = a_story_in(Phase.BAKING).tell(s.StableUnready("0 of 3 pods"), s.Abort(BOB))
        assert calls(story) == ["hold_placed", "rollback_begun"]

    def test_a_gate_that_gets_on_is_not_told(self):
        story = a_story_in(Phase.BAKING, plan=a_plan()).tick(Verdict.PASS, requests=1)
        assert story.said[-1] == "VerdictChanged"
        assert messages(story)[-1].topic == "traffic_confirmed"

    def test_every_event_has_a_topic_or_is_told_by_another(self):
        quiet = {"CandidateReady", "StagePassed"}
        assert {kind.__name__ for kind in EVENTS} >= quiet
        assert announce(None, a_created(), evolve(None, a_created()))[0].topic == "created"


def test_a_plan_without_stages_is_straight():
    """As the rollback of a finished release has it."""
    story = a_story(plan=Plan(stages=())).tell(s.WorkloadReady())
    assert (story.release.phase, story.release.held(HoldKind.APPROVAL)) == (Phase.PROMOTING, False)
