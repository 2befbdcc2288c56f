from dataclasses import replace

import pytest

from delivery.model import signal as s
from delivery.model.event import Cause, CauseKind, Phase, StagePassed, VerdictChanged
from delivery.model.hold import HoldKind
from delivery.model.ids import MINUTE, SECOND, Micros
from delivery.model.plan import LowTraffic, Require
from delivery.model.verdict import Verdict
from delivery.testing.builders import (
    BOB,
    NOW,
    Story,
    a_gate,
    a_judgement,
    a_plan,
    a_stage,
    a_story_in,
    a_tick,
)

LATE = 31 * MINUTE
"""After the deadline of the builders' stage."""


def baking(**changes) -> Story:
    return a_story_in(Phase.BAKING, **changes)


def passes(story: Story) -> list[str]:
    return [event.why for event in story.events if isinstance(event, StagePassed)]


class TestPassing:
    def test_baked_with_enough_requests_and_no_gate_failed(self):
        story = baking().tick()
        (passed,) = [event for event in story.events if isinstance(event, StagePassed)]
        assert (passed.why, passed.baked, passed.requests) == ("baked", 5 * MINUTE, 50)
        assert (passed.first_tick, passed.last_tick, passed.evidence) == (1, 20, "e" * 64)
        assert story.release.stage == 1

    def test_not_a_moment_early(self):
        assert passes(baking().tick(baked=Micros(5 * MINUTE - 1))) == []

    def test_not_with_one_request_too_few(self):
        assert passes(baking().tick(requests=49)) == []

    def test_every_gate_passing_ends_the_bake_early(self):
        assert passes(baking().tick(Verdict.PASS, baked=SECOND)) == ["passed"]

    def test_but_not_before_enough_requests(self):
        assert passes(baking().tick(Verdict.PASS, baked=SECOND, requests=49)) == []

    def test_one_gate_of_two_is_not_every_gate(self):
        plan = a_plan(a_stage(gates=("errors", "latency")), gates=(a_gate(), a_gate("latency")))
        story = baking(plan=plan)
        story.tick(baked=SECOND, judgements=(a_judgement(Verdict.PASS), a_judgement(gate="latency")))
        assert passes(story) == []
        story.tick(baked=SECOND, judgements=(a_judgement(Verdict.PASS),))
        assert passes(story) == [], "a gate that says nothing has not passed"

    def test_a_stage_without_gates_bakes_its_time(self):
        story = baking(plan=a_plan(a_stage(gates=())))
        assert passes(story.tick(baked=SECOND)) == []
        assert passes(story.tick()) == ["baked"]

    def test_it_passes_once(self):
        assert passes(baking().tell(s.Pause(BOB)).tick().tick().tick()) == ["baked"]

    def test_a_jumping_clock_passes_nothing(self):
        assert passes(baking().tick(baked=SECOND, after=60 * LATE)) == []

    def test_what_a_drift_storm_measured_passes_nothing(self):
        story = baking().tell(s.Drifted("weight 50", 9)).tick()
        assert passes(story) == []
        assert passes(story.tell(s.Resume(BOB, holds=(HoldKind.DRIFT_STORM,))).tick()) == ["baked"]

    def test_what_lost_history_measured_passes_nothing(self):
        assert passes(baking().tell(s.HistoryLost("the stamp of event 12", 50)).tick()) == []


class TestFailing:
    def test_a_gate_that_fails_reverts_at_once_with_its_judgement(self):
        story = baking().tick(Verdict.FAIL, baked=SECOND, requests=1)
        assert story.said[-2:] == ["VerdictChanged", "RollbackBegun"]
        assert story.release.cause == Cause(CauseKind.GATE_FAILED, judgement=a_judgement(Verdict.FAIL))
        assert story.confirm().release.phase is Phase.ROLLED_BACK

    def test_it_is_rolled_back_even_if_only_copies_were_sent(self):
        assert baking(plan=a_plan(a_stage(0))).tick(Verdict.FAIL).release.then is Phase.ROLLED_BACK

    def test_it_outweighs_everything_that_passed(self):
        plan = a_plan(a_stage(gates=("errors", "latency")), gates=(a_gate(), a_gate("latency")))
        judgements = (a_judgement(Verdict.PASS), a_judgement(Verdict.FAIL, "latency"))
        assert baking(plan=plan).tick(judgements=judgements).release.phase is Phase.ROLLING_BACK

    def test_a_gate_for_the_report_never_acts(self):
        plan = a_plan(gates=(a_gate(blocking=False),))
        story = baking(plan=plan)
        for verdict in (Verdict.FAIL, Verdict.NO_DATA, Verdict.INCONCLUSIVE):
            story.tick(verdict, baked=SECOND, after=LATE)
        assert story.release.phase is Phase.BAKING
        assert story.said.count("VerdictChanged") == 3
        assert passes(story.tick(Verdict.FAIL)) == ["baked"]

    def test_a_gate_of_another_stage_never_acts(self):
        other = a_judgement(Verdict.FAIL, "latency")
        assert baking().tick(judgements=(other,), baked=SECOND).said[-1] == "TrafficConfirmed"


class TestOtherTraffic:
    def test_a_tick_of_another_traffic_says_nothing(self):
        story = baking()
        tick = a_tick(story.release, Verdict.FAIL, dseq=story.release.dseq - 1)
        assert story.tell(tick).said[-1] == "TrafficConfirmed"

    def test_nor_one_from_before_the_proof(self):
        story = a_story_in(Phase.SHIFTING)
        assert story.tell(a_tick(story.release, Verdict.FAIL)).release.phase is Phase.SHIFTING


class TestVerdicts:
    def test_said_only_when_they_change(self):
        story = baking(plan=a_plan(gates=(a_gate(require=Require.PASS),)))
        for verdict in (Verdict.CONTINUE, Verdict.NO_DATA, Verdict.NO_DATA, Verdict.CONTINUE, Verdict.CONTINUE):
            story.tick(verdict, baked=SECOND)
        changed = [event for event in story.events if isinstance(event, VerdictChanged)]
        assert [event.judgement.verdict for event in changed] == [Verdict.NO_DATA, Verdict.CONTINUE]
        assert {event.tick for event in changed} == {20}


class TestNoData:
    def test_it_holds_at_once_and_ends_with_data(self):
        story = baking().tick(Verdict.NO_DATA, baked=SECOND)
        assert [(hold.kind, hold.detail) for hold in story.release.holds] == [(HoldKind.NO_DATA, "errors")]

    def test_the_hold_says_what_the_gate_says(self):
        blind = replace(a_judgement(Verdict.NO_DATA), detail="candidate: needs 9000 series, 2000 are allowed")
        (hold,) = baking().tick(judgements=(blind,)).release.holds
        assert hold.detail == "errors (candidate: needs 9000 series, 2000 are allowed)"

    def test_and_a_stage_without_gates_why_nothing_was_measured(self):
        story = baking(plan=a_plan(a_stage(gates=()), gates=()))
        story.tick(baked=SECOND, after=LATE, unread="the server refuses us (401)")
        (hold,) = story.release.holds
        assert hold.detail.endswith("before its bake was measured: the server refuses us (401)")
        assert hold.until is None

    def test_no_data_stays_as_long_as_it_lasts(self):
        story = baking().tick(Verdict.NO_DATA, baked=SECOND)
        assert passes(story.tick(Verdict.NO_DATA)) == []
        story.tick()
        assert passes(story) == ["baked"]
        assert story.release.holds == ()

    def test_a_stage_that_passed_is_held_by_it_too(self):
        story = baking().tell(s.Pause(BOB)).tick().tick(Verdict.NO_DATA).tell(s.Resume(BOB))
        assert (story.release.stage, story.release.passed) == (0, 0)
        assert story.tick().release.stage == 1

    def test_people_may_go_on_without_it(self):
        story = baking().tick(Verdict.NO_DATA, baked=SECOND, requests=0)
        story.tell(s.Resume(BOB, "we watch the logs", holds=(HoldKind.NO_DATA,)))
        assert passes(story.tick(Verdict.NO_DATA, baked=SECOND, requests=0)) == []
        assert passes(story.tick(Verdict.NO_DATA, baked=SECOND, requests=0, after=5 * MINUTE)) == ["waived"]
        assert story.release.stage == 1

    def test_that_counts_for_this_stage_only(self):
        story = baking().tick(Verdict.NO_DATA).tell(s.Resume(BOB, holds=(HoldKind.NO_DATA,)))
        story.tick(Verdict.NO_DATA, after=5 * MINUTE).confirm().tick(Verdict.NO_DATA)
        assert story.release.held(HoldKind.NO_DATA)

    def test_a_bake_that_could_not_be_measured_by_the_deadline_calls_people_and_takes_nobody_back(self):
        story = baking(plan=a_plan(a_stage(gates=()))).tick(baked=SECOND, after=LATE)
        (hold,) = story.release.holds
        assert (hold.kind, hold.until) == (HoldKind.NO_DATA, None)
        assert "before its bake was measured" in hold.detail
        assert passes(story.tick()) == ["baked"]
        assert story.release.holds == ()


class TestLowTraffic:
    def test_the_bake_extends_to_the_deadline(self):
        story = baking().tick(requests=3, after=20 * MINUTE)
        assert not story.release.holds
        late = story.tick(requests=3, after=11 * MINUTE).release
        detail = "3 of 50 requests, the rest takes about 78 more min at this rate"
        assert [(hold.kind, hold.detail) for hold in late.holds] == [(HoldKind.LOW_TRAFFIC, detail)]

    def test_enough_of_it_ends_the_hold(self):
        story = baking().tick(requests=3, after=LATE).tick(requests=50)
        assert passes(story) == ["baked"]
        assert story.release.stage == 1

    def test_the_service_may_say_to_go_on(self):
        plan = a_plan(a_stage(low_traffic=LowTraffic.ADVANCE))
        story = baking(plan=plan).tick(requests=3)
        assert passes(story) == []
        assert passes(story.tick(requests=3, after=LATE)) == ["low_traffic"]

    def test_people_may_go_on(self):
        story = baking().tick(requests=3, after=LATE).tell(s.Resume(BOB, holds=(HoldKind.LOW_TRAFFIC,)))
        assert passes(story.tick(requests=3)) == ["waived"]

    def test_that_waives_no_missing_verdict(self):
        story = baking(plan=a_plan(gates=(a_gate(require=Require.PASS),)))
        story.tick(requests=3, after=LATE).tell(s.Resume(BOB, holds=(HoldKind.LOW_TRAFFIC,))).tick(requests=3)
        assert passes(story) == []
        assert [hold.kind for hold in story.release.holds] == [HoldKind.INCONCLUSIVE]


class TestInconclusive:
    PLAN = a_plan(a_stage(), gates=(a_gate(require=Require.PASS),))

    def test_a_gate_that_must_pass_is_waited_for_until_the_deadline(self):
        story = baking(plan=self.PLAN).tick()
        assert (passes(story), story.release.holds) == ([], ())
        story.tick(after=LATE)
        assert [(hold.kind, hold.detail) for hold in story.release.holds] == [(HoldKind.INCONCLUSIVE, "errors")]
        assert passes(story.tick(Verdict.PASS)) == ["baked"]

    def test_people_may_go_on(self):
        story = baking(plan=self.PLAN).tick(after=LATE).tell(s.Resume(BOB, holds=(HoldKind.INCONCLUSIVE,)))
        assert passes(story.tick()) == ["waived"]

    @pytest.mark.parametrize("require", Require)
    def test_a_gate_that_cannot_say_passes_nothing(self, require):
        story = baking(plan=a_plan(a_stage(), gates=(a_gate(require=require),))).tick(Verdict.INCONCLUSIVE)
        assert passes(story) == []
        assert story.tick(Verdict.INCONCLUSIVE, after=LATE).release.held(HoldKind.INCONCLUSIVE)

    def test_it_fails_all_the_same(self):
        story = baking(plan=self.PLAN).tick(after=LATE).tick(Verdict.FAIL)
        assert story.release.phase is Phase.ROLLING_BACK


def test_every_stage_is_measured_by_its_own_sums():
    story = baking().tick().confirm()
    assert (story.release.stage, story.release.verdicts) == (1, {})
    assert story.release.confirmed_at > NOW
    assert passes(story.tick(baked=SECOND)) == ["baked"]


class TestSplit:
    """Requests that are not divided as configured: a hold, whatever else the tick says."""

    SPLIT = "the candidate got 12 % of 1500 requests, and was to get 5 %"

    def test_it_holds_and_says_what_was_found(self):
        story = baking().tick(split=self.SPLIT)
        (hold,) = story.release.holds
        assert (hold.kind, hold.detail, hold.until) == (HoldKind.SPLIT_MISMATCH, self.SPLIT, None)
        assert passes(story) == [], "what was measured is not the stage that was meant"

    def test_it_is_over_when_the_split_is_right(self):
        story = baking().tick(split=self.SPLIT).tick()
        assert not story.release.holds
        story.tick()
        assert passes(story) == ["baked"]

    def test_it_is_placed_once(self):
        story = baking().tick(split=self.SPLIT).tick(split=self.SPLIT).tick(split=self.SPLIT)
        assert story.said.count("HoldPlaced") == 1

    def test_it_never_takes_anybody_back(self):
        story = baking()
        for _ in range(50):
            story.tick(split=self.SPLIT, after=30 * MINUTE)
        assert story.release.phase is Phase.BAKING

    def test_a_fail_does_not_look_at_it(self):
        assert baking().tick(Verdict.FAIL, split=self.SPLIT).release.phase is Phase.ROLLING_BACK

    def test_who_goes_on_nevertheless_does_so_for_this_stage(self):
        story = baking().tick(split=self.SPLIT)
        story.tell(s.Resume(BOB, holds=(HoldKind.SPLIT_MISMATCH,))).tick(split=self.SPLIT)
        assert passes(story) == ["baked"]
        story.confirm().tick(split=self.SPLIT)
        assert story.release.held(HoldKind.SPLIT_MISMATCH)


class TestOutlook:
    def test_a_gate_that_must_pass_says_how_far_it_is(self):
        plan = a_plan(a_stage(), gates=(a_gate(require=Require.PASS),))
        waiting = a_judgement(detail="a pass takes about 14 more min at this rate")
        late = baking(plan=plan).tick(judgements=(waiting,), after=LATE).release
        (hold,) = late.holds
        assert (hold.kind, hold.detail) == (
            HoldKind.INCONCLUSIVE, "errors (a pass takes about 14 more min at this rate)",
        )  # fmt: skip

    def test_no_requests_at_all_promise_nothing(self):
        late = baking().tick(requests=0, after=LATE).release
        assert [hold.detail for hold in late.holds if hold.kind is HoldKind.LOW_TRAFFIC] == ["0 of 50 requests"]
