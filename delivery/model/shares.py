"""The candidate's share of the requests that were counted: ticks of any number, summed up in a bounded size."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from delivery.model.ids import Micros
from delivery.model.verdict import Tick

MOST = 80
"""Spans at most; an even number, so that two of them always make one."""


@dataclass(frozen=True, slots=True)
class Span:
    """Requests of the candidate, and all that were counted, from `start` to `end`."""

    start: Micros
    end: Micros
    candidate: int
    total: int

    def with_(self, other: "Span") -> "Span":
        """This and the one after it."""
        return Span(self.start, other.end, self.candidate + other.candidate, self.total + other.total)


@dataclass(frozen=True, slots=True)
class Shares:
    """`stages` has the requests of the candidate, and all, of each stage. Each of `spans` is of `width` ticks, the last
    perhaps of fewer; `number` ticks were summed up.
    """

    stages: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()
    width: int = 1
    number: int = 0

    def then(self, ticks: Iterable[Tick]) -> "Shares":
        """With the ticks that follow."""
        stages, spans, width, number = dict(self.stages), list(self.spans), self.width, self.number
        for tick in ticks:
            candidate, total = stages.get(tick.stage, (0, 0))
            own = tick.candidate.requests
            stages[tick.stage] = candidate + own, total + own + tick.others
            one = Span(tick.start, tick.end, own, own + tick.others)
            if number % width:
                spans[-1] = spans[-1].with_(one)
            else:
                spans.append(one)
            number += 1
            if len(spans) > MOST:
                pairs = zip(spans[:MOST:2], spans[1:MOST:2], strict=True)
                spans, width = [*(first.with_(second) for first, second in pairs), *spans[MOST:]], 2 * width
        return Shares(stages, tuple(spans), width, number)
