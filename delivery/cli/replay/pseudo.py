"""Releases that never were: stable's own past, divided into a candidate and a stable that are the same. Pure.

Divided by pods where the past tells them, because that is where a real candidate differs. Else by requests, where bad
events come in clumps as large as the past says (`Nature.phi`): divided one by one, bursts would vanish and every gate
would look right.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from delivery.cli.replay.chance import binomial, poisson
from delivery.cli.replay.history import History, Nature
from delivery.model.ids import Micros
from delivery.model.plan import Plan
from delivery.model.verdict import Counts, Tick

LEAST_PODS = 4
WHOLE = 0.9
"""Share of a release's windows that must have been measured."""


@dataclass(frozen=True, slots=True)
class Step:
    """A stage in which both versions have users: its place in the plan, candidate's share, and how many windows."""

    stage: int
    share: float
    windows: int


def steps(plan: Plan, step: Micros) -> tuple[Step, ...]:
    """The stages of a plan that compare."""
    return tuple(
        Step(number, stage.traffic.weight / 100, max(1, round(stage.bake / step)))
        for number, stage in enumerate(plan.stages)
        if 0 < stage.traffic.weight < 100
    )


def starts(history: History, windows: int, most: int) -> Sequence[int]:
    """Where releases of so many windows could have begun: none overlaps another, and traffic was measured."""

    def measured(first: int) -> bool:
        span = slice(first, first + windows)
        return sum(history.whole[span]) >= WHOLE * windows and any(history.requests[span])

    found = [first for first in range(0, len(history) - windows + 1, windows) if measured(first)]
    every = len(found) / most
    return found if every <= 1 else [found[int(number * every)] for number in range(most)]


@dataclass(frozen=True, slots=True)
class Splitter:
    """`natures` of errors (None) and of each latency bound. `times`: how many times the candidate's bad events."""

    history: History
    steps: tuple[Step, ...]
    natures: dict[int | None, Nature]

    def by_pods(self, first: int) -> bool:
        """Whether enough pods served that release."""
        return len(self._pods(first)) >= LEAST_PODS

    def ticks(self, first: int, rng: Random, times: float = 1.0) -> Iterator[Tick]:
        """The ticks of a release that begins there; its candidate is `times` as bad."""
        names = sorted(self._pods(first))
        rng.shuffle(names)
        added = Random(rng.random())  # of its own, so that the same release is divided alike however bad it is
        number, index = 0, first
        for step in self.steps:
            chosen = names[: max(1, round(step.share * len(names)))] if len(names) >= LEAST_PODS else []
            for _ in range(step.windows):
                number += 1
                candidate, stable = (
                    self._pod_split(index, chosen) if chosen else self._request_split(index, step.share, rng)
                )
                begun = Micros(self.history.start + index * self.history.step)
                yield Tick(
                    number, step.stage, step.stage, begun, Micros(begun + self.history.step),
                    self._worse(candidate, first, added, times), stable, bool(self.history.whole[index]),
                )  # fmt: skip
                index += 1

    @property
    def windows(self) -> int:
        return sum(step.windows for step in self.steps)

    def _pods(self, first: int) -> list[str]:
        """Those that served all through the release."""
        last = first + self.windows - 1
        return [name for name, pod in self.history.pods.items() if pod.at(first)[0] and pod.at(last)[0]]

    def _pod_split(self, index: int, chosen: Sequence[str]) -> tuple[Counts, Counts]:
        pods = [self.history.pods[name].at(index) for name in chosen]
        n, x = sum(one for one, _ in pods), sum(min(bad, one) for one, bad in pods)
        n, x = min(n, self.history.requests[index]), min(x, self.history.errors[index])
        share = n / self.history.requests[index] if self.history.requests[index] else 0.0
        slow = tuple((bound, round(column[index] * share)) for bound, column in sorted(self.history.slow.items()))
        return Counts(n, x, slow), self._rest(index, n, x, slow)

    def _request_split(self, index: int, share: float, rng: Random) -> tuple[Counts, Counts]:
        n = binomial(rng, self.history.requests[index], share)
        x = self._clumps(None, index, share, n, rng)
        slow, most = [], n
        for bound in sorted(self.history.slow):
            most = self._clumps(bound, index, share, most, rng)
            slow.append((bound, most))
        return Counts(n, x, tuple(slow)), self._rest(index, n, x, tuple(slow))

    def _clumps(self, bound: int | None, index: int, share: float, most: int, rng: Random) -> int:
        """Bad events of the candidate: whole clumps, and the rest of one."""
        size = max(1, round(self.natures[bound].phi))
        clumps, rest = divmod(self.history.bad(bound)[index], size)
        return min(most, binomial(rng, clumps, share) * size + binomial(rng, 1, share) * rest)

    def _rest(self, index: int, n: int, x: int, slow: Sequence[tuple[int, int]]) -> Counts:
        left = tuple((bound, max(0, self.history.slow[bound][index] - taken)) for bound, taken in slow)
        return Counts(self.history.requests[index] - n, max(0, self.history.errors[index] - x), left)

    def _worse(self, counts: Counts, first: int, rng: Random, times: float) -> Counts:
        """The same with so many times the bad events that the service has at that time of its past."""
        if times == 1:
            return counts
        more = (times - 1) * counts.requests
        errors = min(counts.requests, counts.errors + poisson(rng, more * self._rate(None, first)))
        slow = tuple(
            (bound, min(counts.requests, number + poisson(rng, more * self._rate(bound, first))))
            for bound, number in counts.slow
        )
        return Counts(counts.requests, errors, slow)

    def _rate(self, bound: int | None, first: int) -> float:
        """The rate during the release; over all of the past where that has too few events to tell."""
        window = slice(first, first + self.windows)
        bad, served = sum(self.history.bad(bound)[window]), sum(self.history.requests[window])
        return bad / served if bad >= 10 else self.natures[bound].rate
