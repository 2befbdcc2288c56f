"""What is kept of versions, so that a later stage or release can be compared with it where stable gets nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from delivery.engine.measure import Measurer
from delivery.engine.record import RECORD
from delivery.gates import latency, ratio
from delivery.gates.gate import Gate
from delivery.gates.previous import KEPT
from delivery.model.effect import Measure
from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import MINUTE, SECOND, GateId, Micros
from delivery.model.place import Mode
from delivery.model.plan import GateSpec, Plan, Stage
from delivery.model.release import Bound, Release
from delivery.model.series import Sample, Series
from delivery.model.traffic import Mirror, Traffic
from delivery.model.verdict import Baseline, Tick, Verdict
from delivery.model.version import VersionRef
from delivery.testing.builders import CANDIDATE, NOW, STABLE, a_plan, a_release, a_stage
from tests.unit.gates.play import ERRORS, LATENCY, spec

BEFORE = replace(spec(ERRORS, "before"), baseline=Baseline.PREVIOUS, at_full=True)
SLOW = replace(spec(LATENCY, "slow"), baseline=Baseline.PREVIOUS, at_full=True)
TICK = Micros(15 * SECOND)
THIRD = VersionRef("1.4.3", "sha256:third")


def a_switch(*gates: str) -> Stage:
    return replace(a_stage(100), name="switch", gates=tuple(map(GateId, gates)), bake=Micros(30 * MINUTE))


PLAN = a_plan(a_stage(0, gates=()), a_switch("before", "slow"), gates=(BEFORE, SLOW), tick=TICK)


def build(spec: GateSpec, alpha: float, stages: int) -> Gate:
    return {"ratio": ratio, "latency": latency}[spec.kind].build(spec, alpha, stages)


@dataclass
class Play:
    """A release that is measured; `say` has the counters of both sides so far."""

    plan: Plan = PLAN
    stable: VersionRef | None = STABLE
    candidate: VersionRef = CANDIDATE
    before: Mapping[str, object] = field(default_factory=dict)
    holds: tuple[HoldKind, ...] = ()
    now: Micros = NOW
    counted: dict[str, list[int]] = field(default_factory=lambda: {"candidate": [0, 0, 0], "stable": [0, 0, 0]})

    def __post_init__(self) -> None:
        self.measurer = Measurer(build)
        self.ticks: list[Tick] = []
        self.stage = -1
        self.measuring = self.measurer.begin(self.release, self.before)
        self.enter()

    @property
    def release(self) -> Release:
        made = a_release(Phase.BAKING, plan=self.plan)
        bound = Bound(self.stable, self.candidate)
        return replace(made, bound=bound, candidate=self.candidate, stage=max(0, self.stage), dseq=4 + self.stage)

    def enter(self) -> "Play":
        self.stage += 1
        self._look()
        return self

    def tick(self, candidate: tuple[int, ...] = (0, 0, 0), stable: tuple[int, ...] = (0, 0, 0)) -> Tick:
        """Fifteen seconds with so many requests, errors and slow requests on each side."""
        for side, more in (("candidate", candidate), ("stable", stable)):
            self.counted[side] = [a + b for a, b in zip(self.counted[side], more, strict=True)]
        self.now = Micros(self.now + TICK)
        self._look()
        return self.ticks[-1]

    def _look(self) -> None:
        samples = (self._sample("candidate"), self._sample("stable"))
        effect = Measure(self.stage, self.release.dseq)
        self.measuring, signal, segments = self.measurer.look(self.measuring, self.release, effect, samples, self.now)
        self.ticks += [tick for tick in (*(t for s in segments for t in s.ticks), *self.measuring.ticks) if signal]

    def _sample(self, side: str) -> Sample:
        requests, errors, slow = self.counted[side]
        return Sample(self.now, {"proxy": Series(requests, errors, ((250, slow), (500, 0), (1000, 0)))})

    def verdict(self, gate: str) -> Verdict:
        return next(one.verdict for one in self.measurer.judgements(self.measuring, self.release) if one.gate == gate)


def test_after_the_switch_each_tick_has_one_of_stables_the_newest_first() -> None:
    play = Play()
    for errors in (1, 2, 3):
        assert play.tick(stable=(1500, errors, 10 * errors)).earlier is None, "stable is beside it"
    play.enter()
    told = [play.tick(candidate=(1500, 9, 9)).earlier for _ in range(4)]
    assert [one and (one.counts.requests, one.counts.errors, dict(one.counts.slow)) for one in told] == [
        (1500, 3, {250: 30, 500: 0}),
        (1500, 2, {250: 20, 500: 0}),
        (1500, 1, {250: 10, 500: 0}),
        None,
    ]
    assert told[0] is not None
    assert told[0].end == NOW + 3 * TICK


def test_a_release_that_is_worse_than_what_was_before_it_fails() -> None:
    play = Play()
    for _ in range(10):
        play.tick(stable=(1500, 8, 0))
    play.enter()
    for _ in range(8):
        play.tick(candidate=(1500, 60, 0))
    assert (play.verdict("before"), play.verdict("slow")) == (Verdict.FAIL, Verdict.CONTINUE)


def test_the_next_release_begins_with_what_its_stable_did_as_a_candidate() -> None:
    first = Play()
    first.enter()
    first.tick(candidate=(1500, 7, 0))
    second = Play(stable=CANDIDATE, candidate=THIRD, before=first.measuring.gates)
    second.enter()
    told = second.tick(candidate=(1500, 9, 0)).earlier
    assert told is not None
    assert (told.counts.errors, told.end) == (7, NOW + TICK)


def test_after_one_that_went_back_stable_is_still_on_record() -> None:
    first = Play()
    first.tick(stable=(1500, 5, 0))
    second = Play(candidate=THIRD, before=first.measuring.gates)
    second.enter()
    told = second.tick(candidate=(1500, 9, 0)).earlier
    assert told is not None
    assert told.counts.errors == 5


def test_of_versions_that_are_over_nothing_is_kept() -> None:
    first = Play()
    first.tick(candidate=(10, 0, 0), stable=(1500, 5, 0))
    second = Play(stable=CANDIDATE, candidate=THIRD, before=first.measuring.gates)
    assert list(second.measuring.gates[RECORD]["versions"]) == [CANDIDATE.identity]  # type: ignore[index]


def test_what_was_only_observed_is_compared_with_the_observed_before() -> None:
    stage = replace(a_switch("before"), name="observe")
    plan = a_plan(stage, gates=(BEFORE,), tick=TICK, mode=Mode.OBSERVE)
    first = Play(plan)
    for _ in range(8):
        first.tick(candidate=(1500, 8, 0))
    assert first.verdict("before") is Verdict.NO_DATA, "of the first one nothing is on record"
    second = Play(plan, stable=CANDIDATE, candidate=THIRD, before=first.measuring.gates)
    for _ in range(8):
        second.tick(candidate=(1500, 60, 0))
    assert second.verdict("before") is Verdict.FAIL


def test_copies_of_a_mirror_are_no_record() -> None:
    mirrored = a_stage(0, gates=(), traffic=Traffic(mirror=Mirror(10)))
    play = Play(a_plan(mirrored, a_switch("before"), gates=(BEFORE,), tick=TICK))
    play.tick(candidate=(150, 9, 0), stable=(1500, 9, 0))
    play.enter()
    assert play.tick(candidate=(1500, 9, 0)).earlier is None


def test_only_so_much_is_kept() -> None:
    play = Play()
    for _ in range(KEPT + 5):
        play.tick(stable=(10, 0, 0))
    assert len(play.measuring.gates[RECORD]["versions"][STABLE.identity]) == KEPT  # type: ignore[index]


def test_nothing_is_kept_where_nobody_needs_it() -> None:
    plan = a_plan(a_stage(5, gates=("before",)), gates=(replace(BEFORE, baseline=None),), tick=TICK)
    assert RECORD not in Play(plan).measuring.gates


def test_the_same_ticks_give_the_same_verdict_again() -> None:
    play = Play()
    for _ in range(10):
        play.tick(stable=(1500, 8, 0))
    play.enter()
    for _ in range(8):
        play.tick(candidate=(1500, 60, 0))
    gate = build(BEFORE, 0.05, 2)
    state = gate.start()
    for tick in play.measuring.ticks:
        state = gate.add(state, tick) if tick.stage == 1 else state
    assert gate.verdict(state) is Verdict.FAIL
