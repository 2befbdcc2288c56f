"""What a service did, window by window, in a form that holds a month; and what that says of its errors. Pure."""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from delivery.gates import dispersion
from delivery.model.ids import SECOND, Micros
from delivery.model.verdict import Counts
from delivery.ports.metrics import Window

LAGS = 20
BLOCK_SECONDS = 1800


@dataclass(slots=True)
class Pod:
    """One source, from its first window on."""

    first: int
    requests: "array[int]" = field(default_factory=lambda: array("q"))
    errors: "array[int]" = field(default_factory=lambda: array("q"))

    def at(self, index: int) -> tuple[int, int]:
        place = index - self.first
        return (self.requests[place], self.errors[place]) if 0 <= place < len(self.requests) else (0, 0)

    def put(self, index: int, counts: Counts) -> None:
        missing = index - self.first - len(self.requests)
        for column, value in ((self.requests, counts.requests), (self.errors, counts.errors)):
            column.extend([0] * missing)
            column.append(value)


@dataclass(slots=True)
class History:
    """Sums over all sources; `whole` is 0 for a window in which nothing was scraped. `pods` only where they are."""

    start: Micros
    step: Micros
    above: tuple[int, ...] = ()
    requests: "array[int]" = field(default_factory=lambda: array("q"))
    errors: "array[int]" = field(default_factory=lambda: array("q"))
    slow: "dict[int, array[int]]" = field(default_factory=dict)
    whole: bytearray = field(default_factory=bytearray)
    pods: dict[str, Pod] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.whole)

    def add(self, windows: Sequence[Window], keep_pods: bool) -> None:
        for window in windows:
            index = len(self.whole)
            sources = window.sources or {}
            self.whole.append(window.sources is not None)
            self.requests.append(sum(one.requests for one in sources.values()))
            self.errors.append(sum(min(one.errors, one.requests) for one in sources.values()))
            for bound in self.above:
                column = self.slow.setdefault(bound, array("q"))
                column.append(sum(dict(one.slow).get(bound, 0) for one in sources.values()))
            if keep_pods:
                for name, counts in sources.items():
                    self.pods.setdefault(name, Pod(index)).put(index, counts)

    def bad(self, bound: int | None) -> "array[int]":
        """Errors, or requests slower than a bound."""
        return self.errors if bound is None else self.slow[bound]


@dataclass(frozen=True, slots=True)
class Nature:
    """What bad events of a service are like. `phi`: variance over what independent events would have, 1 or more.

    `autocorrelation`: of the deviations from each half hour's rate, for lags of one window and more.
    """

    rate: float
    phi: float
    autocorrelation: tuple[float, ...]


def nature(history: History, bound: int | None = None) -> Nature:
    """Of errors, or of requests slower than a bound."""
    bad, requests = history.bad(bound), history.requests
    state: Sequence[float] = dispersion.start()
    for index, whole in enumerate(history.whole):
        state = dispersion.add(state, bad[index], requests[index] if whole else 0)
    total, pairs, *_ = state
    served = sum(requests)
    return Nature(
        sum(bad) / served if served else 0.0,
        max(1.0, total / pairs) if pairs else 1.0,
        _autocorrelation(_residuals(history, bad)),
    )


def _residuals(history: History, bad: Sequence[int]) -> list[float | None]:
    """Pearson's: how far each window is from what its half hour would make one expect."""
    block = max(2, BLOCK_SECONDS * SECOND // history.step)
    found: list[float | None] = []
    for first in range(0, len(history), block):
        window = range(first, min(first + block, len(history)))
        served = sum(history.requests[index] for index in window)
        rate = sum(bad[index] for index in window) / served if served else 0.0
        for index in window:
            expected = history.requests[index] * rate * (1 - rate)
            known = history.whole[index] and expected > 0
            away = bad[index] - history.requests[index] * rate
            found.append(away / math.sqrt(expected) if known else None)
    return found


def _autocorrelation(residuals: Sequence[float | None]) -> tuple[float, ...]:
    squares = [one * one for one in residuals if one is not None]
    variance = sum(squares) / len(squares) if squares else 0.0
    if not variance:
        return (0.0,) * LAGS
    found = []
    for lag in range(1, LAGS + 1):
        pairs = [
            one * other
            for one, other in zip(residuals, residuals[lag:], strict=False)
            if one is not None and other is not None
        ]
        found.append(sum(pairs) / len(pairs) / variance if pairs else 0.0)
    return tuple(found)


def rates(history: History, points: int) -> Sequence[tuple[Micros, float, float]]:
    """Requests a second and the share of errors over time, in at most so many points; gaps are left out."""
    size = max(1, math.ceil(len(history) / points))
    found = []
    for first in range(0, len(history), size):
        window = range(first, min(first + size, len(history)))
        measured = sum(history.whole[index] for index in window)
        served = sum(history.requests[index] for index in window)
        if measured:
            at = Micros(history.start + first * history.step)
            failed = sum(history.errors[index] for index in window)
            found.append((at, served / (measured * history.step / SECOND), failed / served if served else 0.0))
    return found
