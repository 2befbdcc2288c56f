"""What the gates of a plan would see at a given traffic, before anything is released: simulated with their own code.

Releases are played with errors by chance, independent of each other, at a candidate that is so many times worse than
stable. Where errors come in bursts less is found than this says.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol

from delivery.gates.gate import Gate, State
from delivery.gates.previous import span
from delivery.model.ids import MINUTE, SECOND, GateId, Micros
from delivery.model.plan import GateSpec, Plan, Require, Stage
from delivery.model.verdict import Baseline, Counts, Earlier, Tick, Verdict

TIMES = (2, 4, 10)
RUNS = 60
LOOKS = 40
"""Looks of a stage at most: a look less often finds next to as much."""
ERRORS = ("http_errors", "http_success_rate", "http_error_rate")
"""Measures that errors tell of."""
Build = Callable[[GateSpec, float, int], Gate]


class Chance(Protocol):
    """Where luck comes from; `random.Random` fits. The same one gives the same outlook."""

    def random(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Load:
    """What a service gets: requests a second, and the share of them that fail."""

    rps: float
    errors: float


@dataclass(frozen=True, slots=True)
class Seen:
    """`found` is the share of such candidates that the gate takes back, `minutes` the median time until then."""

    times: int
    found: float
    minutes: float | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one gate sees. `passes`: the share of healthy releases that get every PASS that the gate requires."""

    gate: GateId
    seen: tuple[Seen, ...]
    passes: float | None = None


def outlooks(
    plan: Plan, load: Load, build: Build, chance: Chance, earlier: Mapping[str, Any] | None = None
) -> tuple[Outlook, ...]:
    """One for each gate that judges by errors, in the plan's order; about a second for three stages.

    `earlier` has where gates ended in the last release.
    """
    share = plan.alpha / max(1, sum(spec.blocking for spec in plan.gates))
    found = []
    for spec in plan.gates:
        stages = tuple(index for index, stage in enumerate(plan.stages) if spec.id in stage.gates and _shares(stage))
        if spec.params.get("measure") in ERRORS and stages:
            player = _Player(
                build(spec, share, len(plan.stages)), plan, stages, load, chance, (earlier or {}).get(spec.id),
                spec.baseline,
            )  # fmt: skip
            seen = tuple(player.seen(times) for times in TIMES)
            passes = player.passes() if spec.require is Require.PASS else None
            found.append(Outlook(spec.id, seen, passes))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Player:
    """Releases before one gate. `stages` are those that it judges; the others take their time and no tick."""

    gate: Gate
    plan: Plan
    stages: Sequence[int]
    load: Load
    chance: Chance
    before: State | None
    baseline: Baseline | None = None

    def seen(self, times: int) -> Seen:
        ends: list[float] = []
        for _ in range(RUNS):
            state = self.gate.start(self.before)
            for tick in self._ticks(times):
                state = self.gate.add(state, tick)
                if self.gate.verdict(state) is Verdict.FAIL:
                    ends.append(tick.end / MINUTE)
                    break
        return Seen(times, len(ends) / RUNS, median(ends) if ends else None)

    def passes(self) -> float:
        """A stage waits for its PASS until the deadline, so that each is played that long."""
        through = 0
        for _ in range(RUNS):
            state, passed = self.gate.start(self.before), set[int]()
            for tick in self._ticks(1, patient=True):
                state = self.gate.add(state, tick)
                if self.gate.verdict(state) is Verdict.PASS:
                    passed.add(tick.stage)
            through += len(passed) == len(self.stages)
        return through / RUNS

    def _ticks(self, times: int, *, patient: bool = False) -> Iterator[Tick]:
        number, now, recorded = 0, 0, span(self.plan.tick) if self._previous else 0
        for index, stage in enumerate(self.plan.stages):
            lasts = stage.deadline if patient else stage.bake
            if index not in self.stages:
                now += lasts
                continue
            looks = max(1, min(LOOKS, lasts // self.plan.tick))
            for _ in range(looks):
                number, begun = number + 1, now
                now += lasts // looks
                seconds = (now - begun) / SECOND
                sides = _sides(stage, self.load, times, seconds, self.chance)
                copy = self._copy(stage, seconds)
                recorded -= now - begun
                earlier = self._before(seconds) if recorded >= 0 and self._previous else None
                yield Tick(
                    number, index, 1, Micros(begun), Micros(now), *sides, complete=True, earlier=earlier, copy=copy
                )

    @property
    def _previous(self) -> bool:
        return self.baseline is Baseline.PREVIOUS

    def _copy(self, stage: Stage, seconds: float) -> Counts | None:
        """What a copy of stable would do, where the gate compares with one."""
        share = stage.traffic.baseline
        if self.baseline is not Baseline.FRESH or share is None:
            return None
        return _counts(self.load.rps * seconds * share / 100, self.load.errors, self.chance)

    def _before(self, seconds: float) -> Earlier:
        """What stable did before the release, with as much of it on record as can be."""
        return Earlier(_counts(self.load.rps * seconds, self.load.errors, self.chance), Micros(0))


def _sides(stage: Stage, load: Load, times: int, seconds: float, chance: Chance) -> tuple[Counts, Counts]:
    own, other = _shares(stage) or (0.0, 0.0)
    candidate = _counts(load.rps * seconds * own, min(1.0, load.errors * times), chance)
    return candidate, _counts(load.rps * seconds * other, load.errors, chance)


def _counts(requests: float, rate: float, chance: Chance) -> Counts:
    total = _poisson(requests, chance)
    return Counts(total, min(total, _poisson(total * rate, chance)))


def _shares(stage: Stage) -> tuple[float, float] | None:
    """Of all requests, those of the candidate and those of stable; None where nobody knows whom rules will meet."""
    traffic = stage.traffic
    if traffic.mirror is not None:
        part = traffic.mirror.percent / 100
        return part, part if traffic.mirror.methods else 1.0
    beside = traffic.weight + (traffic.baseline or 0)
    return (traffic.weight / 100, 1 - beside / 100) if traffic.weight else None


def _poisson(mean: float, chance: Chance) -> int:
    """A number of independent events: exact for few, by a normal of the same mean and variance for many."""
    if mean > 50:
        angle, radius = 2 * math.pi * chance.random(), math.sqrt(-2 * math.log(1 - chance.random()))
        return max(0, round(mean + math.sqrt(mean) * radius * math.cos(angle)))
    left, count, limit = chance.random(), 0, math.exp(-mean)
    while left > limit:
        left *= chance.random()
        count += 1
    return count


def load_of(plan: Plan, ticks: Sequence[Tick]) -> Load | None:
    """What a service got while a release of it was measured; None where nothing was."""
    whole = [tick for tick in ticks if tick.complete and not tick.stable_down and tick.end > tick.start]
    seconds = sum(tick.end - tick.start for tick in whole) / SECOND
    requests = sum(tick.others + _users(plan, tick) for tick in whole)
    served = sum(tick.stable.requests for tick in whole)
    if not seconds or not served:
        return None
    return Load(requests / seconds, sum(tick.stable.errors for tick in whole) / served)


def _users(plan: Plan, tick: Tick) -> int:
    """The candidate's requests, where they are not copies of stable's."""
    return 0 if plan.stages[tick.stage].traffic.mirror else tick.candidate.requests
