"""Ticks: what is counted, what a bake is made of, and what the machine is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from delivery.engine.counting import Samples
from delivery.engine.measure import CAP, SEGMENT, Measurer, due, subjects
from delivery.gates.gate import Gate, State
from delivery.model.codec import canon, link
from delivery.model.effect import Measure
from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import SECOND, GateId, Micros
from delivery.model.plan import GateSpec
from delivery.model.release import Release
from delivery.model.series import Sample, Series, Unread, Why
from delivery.model.signal import BaselineMissing, BaselineReady, Measured, WorkloadReady
from delivery.model.traffic import Mirror, Traffic
from delivery.model.verdict import Counts, Judgement, Side, Tick, Verdict
from delivery.model.version import Backend, Lane
from delivery.ports.rows import Measuring, Segment
from delivery.testing.builders import CANDIDATE, NOW, STABLE, a_gate, a_plan, a_release, a_stage, a_story

ERRORS, LATENCY = GateId("errors"), GateId("latency")
PLAN = a_plan(
    a_stage(5, gates=(ERRORS, LATENCY)),
    a_stage(50, gates=(ERRORS,)),
    gates=(a_gate(ERRORS), a_gate(LATENCY, blocking=False)),
    tick=Micros(10 * SECOND),
)
TICK = PLAN.tick
DARK = Unread(Why.PARTIAL, "the server answers only in part")


@dataclass
class Script:
    """A gate that counts ticks, says what it is told to, and how often it had to work out numbers."""

    spec: GateSpec
    alpha: float
    stages: int
    says: Verdict = Verdict.CONTINUE
    judged: int = 0

    def start(self, earlier: Mapping[str, Any] | None = None) -> State:
        return {"ticks": 0}

    def add(self, state: State, tick: Tick) -> State:
        return {"ticks": state["ticks"] + 1}

    def verdict(self, state: State) -> Verdict:
        return self.says

    def judge(self, state: State) -> Judgement:
        self.judged += 1
        return Judgement(self.spec.id, self.says, Side(0, state["ticks"]), Side(0, 0), blocking=self.spec.blocking)


@dataclass
class Bench:
    """A stage that is measured every ten seconds."""

    release: Release = field(default_factory=lambda: a_release(Phase.BAKING, plan=PLAN))
    gates: dict[str, Script] = field(default_factory=dict)
    now: Micros = NOW
    requests: int = 0
    epoch: str = ""
    segments: list[Segment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.measurer = Measurer(self.build)
        self.measuring = self.measurer.begin(self.release, {})

    def build(self, spec: GateSpec, alpha: float, stages: int) -> Gate:
        self.gates[spec.id] = Script(spec, alpha, stages)
        return self.gates[spec.id]

    def sample(self, requests: int, errors: int = 0) -> Sample:
        return Sample(self.now, {"proxy": Series(requests, errors, epoch=self.epoch)})

    def look(self, after: int = TICK, samples: Samples | None = None) -> Measured | None:
        """One look, so many microseconds later; 20 requests of the candidate and 380 of stable came since."""
        self.now = Micros(self.now + after)
        self.requests += 20
        both = samples or (self.sample(self.requests), self.sample(19 * self.requests))
        effect = Measure(self.release.stage, self.release.dseq)
        self.measuring, signal, segments = self.measurer.look(self.measuring, self.release, effect, both, self.now)
        self.segments += segments
        return signal

    def tick(self, after: int = TICK, samples: Samples | None = None) -> Measured:
        signal = self.look(after, samples)
        assert signal is not None
        return signal


@pytest.fixture
def bench() -> Bench:
    """The first look is over."""
    bench = Bench()
    assert bench.look() is None
    return bench


class TestWhenATickIsDue:
    effect = Measure(0, 4)
    release = a_release(Phase.BAKING, plan=PLAN)

    def after(self, **changes: Any) -> Measuring:
        return replace(Measuring(self.release.id, stage=0, dseq=4, tick=3, at=NOW), **changes)

    @pytest.mark.parametrize(("later", "expected"), [(0, False), (TICK - 1, False), (TICK, True), (TICK + 1, True)])
    def test_one_interval_after_the_last(self, later: int, expected: bool) -> None:
        assert due(self.after(), self.effect, self.release, Micros(NOW + later)) is expected

    def test_at_once_where_nothing_was_measured(self) -> None:
        assert due(None, self.effect, self.release, NOW)

    @pytest.mark.parametrize("changes", [{"stage": 1}, {"dseq": 7}])
    def test_at_once_for_another_traffic(self, changes: dict[str, Any]) -> None:
        assert due(self.after(**changes), self.effect, self.release, NOW)

    def test_at_once_after_a_clock_that_went_back(self) -> None:
        assert due(self.after(), self.effect, self.release, Micros(NOW - 1))


class TestWhatIsCounted:
    def lanes(self, traffic: Traffic) -> tuple[Lane, Lane | None]:
        release = a_release(Phase.BAKING, plan=a_plan(a_stage(0, traffic=traffic)))
        candidate, stable = subjects(release, "checkout")
        assert candidate is not None
        assert stable is not None
        assert candidate.backend == Backend("checkout", CANDIDATE)
        assert stable.backend == Backend("checkout", STABLE)
        return candidate.lane, stable.lane

    def test_both_versions_where_users_are_divided(self) -> None:
        assert self.lanes(Traffic(weight=5)) == (Lane.PLAIN, Lane.PLAIN)

    def test_copies_beside_all_of_stable_where_everything_is_mirrored(self) -> None:
        assert self.lanes(Traffic(mirror=Mirror(20))) == (Lane.SHADOW, Lane.PLAIN)

    def test_copies_beside_what_was_copied_where_only_some_methods_are(self) -> None:
        assert self.lanes(Traffic(mirror=Mirror(20, ("GET",)))) == (Lane.SHADOW, Lane.SHADOWED)

    def test_a_copy_of_stable_while_it_has_a_share(self) -> None:
        plan = a_plan(a_stage(5, traffic=Traffic(5, baseline=5)))
        story = a_story(plan=plan).tell(WorkloadReady(), BaselineReady(5)).confirm()
        copy = Backend("checkout", STABLE.copy_for(story.release.id))
        assert [one.backend for one in subjects(story.release, "checkout") if one][2:] == [copy]
        story.tell(BaselineMissing("0 of 1 pods")).confirm()
        assert len(subjects(story.release, "checkout")) == 2

    def test_nothing_before_versions_are_bound(self) -> None:
        with pytest.raises(ValueError, match="bound"):
            subjects(a_release(Phase.QUEUED, plan=PLAN), "checkout")


class TestAWindow:
    def test_the_first_look_only_takes_the_counters_to_start_from(self) -> None:
        bench = Bench()
        assert bench.look() is None
        assert (bench.measuring.tick, bench.measuring.requests, bench.measuring.at) == (0, 0, bench.now)

    def test_a_tick_has_what_happened_since(self, bench: Bench) -> None:
        signal = bench.tick()
        assert (signal.tick, signal.requests, signal.baked) == (1, 20, TICK)
        (tick,) = bench.measuring.ticks
        assert (tick.candidate.requests, tick.stable.requests, tick.complete) == (20, 380, True)
        assert (tick.start, tick.end) == (bench.now - TICK, bench.now)
        assert signal.evidence == link("", canon(tick))

    def test_a_third_side_is_counted_apart_and_has_to_be_whole_too(self) -> None:
        bench = Bench()
        bench.look(samples=(bench.sample(20), bench.sample(360), bench.sample(20)))
        signal = bench.tick(samples=(bench.sample(40), bench.sample(720), bench.sample(50, 3)))
        (tick,) = bench.measuring.ticks
        assert tick.copy == Counts(30, 3)
        assert (tick.candidate.requests, tick.stable.requests, tick.others, tick.complete) == (20, 360, 390, True)
        signal = bench.tick(samples=(bench.sample(60), bench.sample(1080), DARK))
        assert signal.unread == f"copy: {DARK.text}"
        assert not bench.measuring.ticks[-1].complete
        bench.tick(samples=(bench.sample(80), bench.sample(1440), bench.sample(90, 3)))
        assert bench.measuring.ticks[-1].copy == Counts(40, 0), "all of both ticks"

    def test_requests_that_are_not_divided_as_meant_are_told_of_a_copy_too(self) -> None:
        plan = a_plan(a_stage(5, traffic=Traffic(5, baseline=5), gates=()), tick=TICK)
        bench = Bench(a_story(plan=plan).tell(WorkloadReady(), BaselineReady(5)).confirm().release)
        told = ""
        for number in range(1, 8):
            sides = (bench.sample(50 * number), bench.sample(750 * number), bench.sample(200 * number))
            signal = bench.look(samples=sides)
            told = signal.split if signal else told
        assert told.startswith("the copy of stable got 20 % of")

    def test_ticks_add_up(self, bench: Bench) -> None:
        bench.tick()
        signal = bench.tick()
        assert (signal.tick, signal.requests, signal.baked, signal.first_tick) == (2, 40, 2 * TICK, 1)
        assert bench.measuring.totals[0].requests == 40

    def test_a_clock_that_jumps_counts_for_two_intervals(self, bench: Bench) -> None:
        assert bench.tick(after=3600 * SECOND).baked == CAP * TICK

    def test_a_clock_that_went_back_counts_for_nothing(self, bench: Bench) -> None:
        assert bench.tick(after=-3600 * SECOND).baked == 0
        assert bench.tick().baked == TICK

    @pytest.mark.parametrize("blind", [0, 1])
    def test_a_side_that_cannot_be_read_bakes_nothing_and_loses_nothing(self, bench: Bench, blind: int) -> None:
        samples = [bench.sample(40), bench.sample(760)]
        signal = bench.tick(samples=(DARK, samples[1]) if blind == 0 else (samples[0], DARK))
        assert (signal.baked, bench.measuring.ticks[-1].complete) == (0, False)
        assert signal.unread == f"{('candidate', 'stable')[blind]}: the server answers only in part"
        (missing,) = bench.measuring.ticks[-1].unread or ()
        assert (missing.why, missing.text) == ("partial", DARK.text)
        bench.tick()
        assert bench.measuring.ticks[-1].candidate.requests == 40, "both windows, as one"

    def test_without_a_start_nothing_is_counted(self) -> None:
        bench = Bench()
        signal = bench.tick(samples=(DARK, DARK))
        assert (signal.requests, signal.baked, bench.measuring.base) == (0, 0, {})
        assert bench.look() is None, "now there is something to start from"
        assert bench.tick().requests == 20

    @pytest.mark.parametrize("older", [0, 1])
    def test_a_stage_does_not_begin_with_counters_from_before_its_proof(self, older: int) -> None:
        bench = Bench()
        lasts = bench.now + TICK - bench.release.confirmed_at

        def aged(age: int) -> Samples:
            sides = [bench.sample(bench.requests + 20), bench.sample(19 * (bench.requests + 20))]
            sides[older] = replace(sides[older], age=Micros(age))
            return sides[0], sides[1]

        assert bench.look(samples=aged(lasts + 1)) is None
        assert bench.measuring.base == {}, "a window that began before the stage would count"
        assert bench.look(samples=aged(lasts)) is None
        assert bench.measuring.base
        assert bench.tick().requests == 20

    def test_counters_that_stay_older_than_their_stage_are_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bench, signal = Bench(), None
        for _ in range(40):
            lasts = bench.now + TICK - bench.release.confirmed_at
            old = replace(bench.sample(7), age=Micros(lasts + SECOND))
            signal = bench.look(samples=(old, old))
        assert signal is not None
        assert (signal.requests, signal.baked, bench.measuring.base) == (0, 0, {})
        assert signal.unread.startswith("its counters are ")

    def test_what_could_not_be_read_when_the_stage_began_is_dated_before_it_counts(self) -> None:
        bench = Bench()
        held = Sample(bench.now, {"proxy": Series(500, 40, held=True)})
        assert bench.look(samples=(held, held)) is None
        back = Sample(bench.now, {"proxy": Series(700, 90)})
        assert bench.tick(samples=(back, back)).requests == 0
        more = Sample(bench.now, {"proxy": Series(720, 90)})
        assert bench.tick(samples=(more, more)).requests == 20

    def test_a_proxy_that_began_anew_makes_it_incomplete(self, bench: Bench) -> None:
        bench.tick()
        bench.epoch, bench.requests = "another life", 0
        signal = bench.tick()
        assert (signal.baked, bench.measuring.ticks[-1].complete) == (TICK, False)
        assert signal.requests == 40, "what it counted since is not lost"

    def test_full_segments_are_handed_over_with_the_hash_over_all_of_them(self, bench: Bench) -> None:
        signals = [bench.tick() for _ in range(SEGMENT + 1)]
        (segment,) = bench.segments
        assert (segment.first, len(segment.ticks), segment.hash) == (1, SEGMENT, signals[SEGMENT - 1].evidence)
        assert [tick.number for tick in bench.measuring.ticks] == [SEGMENT + 1]


class TestANewStage:
    def test_begins_with_a_window_of_its_own_and_gates_go_on(self, bench: Bench) -> None:
        bench.tick()
        bench.release = replace(bench.release, stage=1, dseq=9)
        assert bench.look() is None, "no window began before it was confirmed"
        signal = bench.tick()
        assert (signal.tick, signal.first_tick, signal.baked, signal.requests) == (2, 2, TICK, 20)
        assert bench.measuring.gates[ERRORS] == {"ticks": 2}
        assert bench.measuring.gates[LATENCY] == {"ticks": 1}, "it is no gate of this stage"
        assert bench.measuring.totals[0].requests == 40


class TestGates:
    def test_the_budget_is_divided_over_those_that_may_take_it_back(self, bench: Bench) -> None:
        assert {gate: (one.alpha, one.stages) for gate, one in bench.gates.items()} == {
            ERRORS: (PLAN.alpha, 2),
            LATENCY: (PLAN.alpha, 2),
        }
        three = a_plan(gates=(a_gate("a"), a_gate("b"), a_gate("c", blocking=False)))
        bench.measurer.gates(a_release(Phase.BAKING, plan=three, plan_digest="another"))
        assert bench.gates["a"].alpha == three.alpha / 2

    def test_they_are_built_once_for_a_plan(self, bench: Bench) -> None:
        before = bench.gates[ERRORS]
        bench.tick()
        assert bench.gates[ERRORS] is before


class TestWhatIsTold:
    """Numbers take time: they are worked out where somebody is to see them."""

    def test_an_undecided_gate_is_not_worked_out(self, bench: Bench) -> None:
        assert (bench.tick().judgements, bench.gates[ERRORS].judged) == ((), 0)

    def test_another_verdict_is_told_with_its_numbers_once(self, bench: Bench) -> None:
        bench.gates[ERRORS].says = Verdict.NO_DATA
        (judgement,) = bench.tick().judgements
        assert (judgement.gate, judgement.verdict, judgement.candidate) == (ERRORS, Verdict.NO_DATA, Side(0, 1))
        bench.release = replace(bench.release, verdicts={ERRORS: judgement})
        assert bench.tick().judgements == (judgement,)
        assert bench.gates[ERRORS].judged == 1
        bench.gates[ERRORS].says = Verdict.CONTINUE
        assert [one.verdict for one in bench.tick().judgements] == [Verdict.CONTINUE]

    def bakes(self, bench: Bench) -> Measured:
        """All of the stage's bake is over."""
        stage = bench.release.plan.stages[0]
        bench.measuring = replace(bench.measuring, baked=Micros(stage.bake - TICK))
        return bench.tick()

    def test_all_are_told_by_the_tick_that_may_end_the_stage(self, bench: Bench) -> None:
        bench.tick()
        assert [(one.gate, one.candidate) for one in self.bakes(bench).judgements] == [
            (ERRORS, Side(0, 2)),
            (LATENCY, Side(0, 2)),
        ]

    def test_also_where_every_blocking_gate_passes_early(self, bench: Bench) -> None:
        bench.gates[ERRORS].says = Verdict.PASS
        assert [one.verdict for one in bench.tick().judgements] == [Verdict.PASS, Verdict.CONTINUE]

    def test_also_where_somebody_goes_on_without_data(self, bench: Bench) -> None:
        bench.release = replace(bench.release, waived=(HoldKind.NO_DATA,))
        assert len(bench.tick().judgements) == 2

    def test_not_any_more_once_it_has_passed(self, bench: Bench) -> None:
        bench.release = replace(bench.release, passed=0)
        assert self.bakes(bench).judgements == ()

    def test_people_may_ask_at_any_time(self, bench: Bench) -> None:
        assert bench.measurer.judgements(bench.measuring, bench.release) == (), "nothing is measured yet"
        bench.tick()
        found = bench.measurer.judgements(bench.measuring, bench.release)
        assert [(one.gate, one.candidate) for one in found] == [(ERRORS, Side(0, 1)), (LATENCY, Side(0, 1))]
        bench.release = replace(bench.release, stage=1, dseq=9)
        bench.look()
        assert bench.measurer.judgements(bench.measuring, bench.release) == (), "nor in the next stage"
