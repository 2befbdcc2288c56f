"""From values to places on a drawing, always inside it. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from delivery.model.ids import HOUR, MINUTE, SECOND, Micros

DAY = 24 * HOUR
_STEPS = (
    SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND,
    MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
    HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 364 * DAY,
)  # fmt: skip
_TOPS = (2, 5, 10, 25, 50, 100)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Linear:
    """`low` is drawn at `start`, `high` at `end`; what lies outside is drawn at the nearer of them."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        part = 0.0 if span <= 0 or math.isnan(value) else (value - self.low) / span
        return self.start + (self.end - self.start) * min(max(part, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Log:
    """As Linear, for ratios: twice and half are equally far from 1. `low` is above 0."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        place = Linear(math.log(self.low), math.log(self.high), self.start, self.end)
        return place(math.log(value) if value > 0 else -math.inf)


def ceiling(highest: float) -> int:
    """The top of a percent axis: a round number above the highest value, so that one percent can be seen too."""
    return next((top for top in _TOPS if highest <= top * 0.9), 100)


def times(begin: Micros, end: Micros, most: int) -> Iterator[tuple[Micros, str]]:
    """Round times between two, at most so many, each with its label."""
    step = next((step for step in _STEPS if (end - begin) / step <= most), _STEPS[-1])
    at = -(-begin // step) * step
    for _ in range(most):
        if at > end:
            return
        yield Micros(at), _label(at, step)
        at += step


def _label(at: int, step: int) -> str:
    form = "%b %d" if step >= DAY else "%H:%M" if step >= MINUTE else "%H:%M:%S"
    return (_EPOCH + timedelta(microseconds=at)).strftime(form)
