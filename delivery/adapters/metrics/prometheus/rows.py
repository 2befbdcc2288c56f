"""Rows of an answer -> samples, or the reason why there is none. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from delivery.adapters.metrics.prometheus.query import (
    BUCKETS,
    ERRORS,
    FAILURES,
    LIVES,
    OLDEST,
    PART,
    REQUESTS,
    SEEN,
    START,
    TWICE,
)
from delivery.adapters.metrics.prometheus.server import Row
from delivery.adapters.metrics.prometheus.template import Template, View
from delivery.model.ids import SECOND, Micros
from delivery.model.series import Sample, Series, Unread, Why

Key = tuple[str, ...]
"""What a view's labels say of one version."""
NOT_A_COUNT = "is no count (NaN or infinite)"


@dataclass(slots=True)
class _Counters:
    """What one source counted of one version."""

    requests: float = 0
    errors: float = 0
    within: dict[float, float] = field(default_factory=dict)

    def series(self, epoch: str, bound_ms: int, *, held: bool) -> Series:
        """Bounds that are no whole milliseconds are left out: no gate can name them."""
        timed = self.within.get(math.inf, 0)
        slow = [
            (round(bound * bound_ms), max(0, round(timed - number)))
            for bound, number in sorted(self.within.items())
            if math.isfinite(bound) and abs(bound * bound_ms - round(bound * bound_ms)) < 1e-6
        ]
        return Series(round(self.requests), round(self.errors), tuple(slow), epoch, held=held)


@dataclass(frozen=True, slots=True)
class Answered:
    """What an answer says. `missing` is why nothing of it can be used, `broken` why one version's cannot."""

    at: Micros
    age: Micros
    missing: Unread | None
    broken: Mapping[Key, Unread]
    series: Mapping[Key, Mapping[str, Series]]
    listed: Mapping[str, Series]

    def sample(self, key: Key) -> Sample | Unread:
        """The sample of a version; or why there is none."""
        reason = self.missing or self.broken.get(key)
        return reason or Sample(self.at, {**self.listed, **self.series.get(key, {})}, self.age)


def read(
    rows: Sequence[Row], template: Template, view: View, lag: int, stale: int, held: Sequence[Row] = ()
) -> Answered:
    """`lag` and `stale` in seconds: values are as old as `lag`; sources last seen `stale` before that are gone.

    `held` are rows of sources that cannot be scraped now: what they said last.
    """
    reader = _Reader(template, view)
    for row in rows:
        reader.take(row)
    missing = reader.missing(lag, stale)
    listed = {name: reader.zero(name) for name in reader.seen} if template.listed else {}
    for row in held:
        reader.take(row, held=True)
    at = Micros(round((reader.at - lag) * SECOND))
    return Answered(at, reader.age(lag), missing, reader.broken, reader.series(), listed)


class _Reader:
    def __init__(self, template: Template, view: View) -> None:
        self.at = 0.0
        self.seen: dict[str, float] = {}
        self.broken: dict[Key, Unread] = {}
        self._oldest: float | None = None
        self._held: set[str] = set()
        self._template = template
        self._view = view
        self._counted: dict[Key, dict[str, _Counters]] = {}
        self._starts: dict[str, float] = {}
        self._lives: dict[str, float] = {}
        self._twice: set[str] = set()

    def take(self, row: Row, *, held: bool = False) -> None:
        labels, (at, text) = row["metric"], row["value"]
        self.at = max(self.at, float(at))
        part, source, value = labels.get(PART, ""), self._source(labels), float(text)
        if part in (REQUESTS, ERRORS, FAILURES, BUCKETS):
            self._count(part, labels, source, value)
            if held:
                self._held.add(source)
        elif part == SEEN:
            self.seen[source] = value
        elif part == OLDEST:
            self._oldest = value
        elif part == START:
            self._starts[source] = value
        elif part == LIVES:
            self._lives[source] = value
        elif part == TWICE:
            self._twice.add(source)

    def missing(self, lag: int, stale: int) -> Unread | None:
        """Why none of it can be used."""
        alive = self._template.alive
        if not self.seen:
            text = f"nothing is scraped that has {alive}: is the scrape set up, and `where` right?"
            return Unread(Why.NOT_SCRAPED, text)
        age = self.at - lag - max(self.seen.values())
        if age > stale:
            return Unread(Why.STALE, f"the newest {alive} is {age:.0f} s old: does the server still scrape?")
        return None

    def age(self, lag: int) -> Micros:
        """How long ago the source that was scraped longest ago was scraped."""
        scraped = [self._oldest] if self._oldest is not None else list(self.seen.values())
        return Micros(round(max(lag, self.at - min(scraped, default=self.at)) * SECOND))

    def zero(self, source: str) -> Series:
        return Series(0, 0, (), self._epoch(source))

    def series(self) -> Mapping[Key, Mapping[str, Series]]:
        for key, sources in self._counted.items():
            twice = sorted(self._twice & sources.keys())
            if twice:
                text = f"{twice[0]} is there more than once: two scrapes of it, or replicas without `where`?"
                self.broken[key] = Unread(Why.SEVERAL, text)
        return {
            key: {
                name: one.series(self._epoch(name), self._template.bound_ms, held=name in self._held)
                for name, one in sources.items()
            }
            for key, sources in self._counted.items()
        }

    def _count(self, part: str, labels: Mapping[str, str], source: str, value: float) -> None:
        key = key_of(self._view, labels)
        if key is None:
            return
        if not math.isfinite(value):
            self.broken[key] = Unread(Why.NOT_A_COUNT, f"{part} of {source} {NOT_A_COUNT}")
            return
        counters = self._counted.setdefault(key, {}).setdefault(source, _Counters())
        if part == REQUESTS:
            counters.requests += value
        elif part in (ERRORS, FAILURES):
            counters.errors += value
        else:
            bound = float(labels.get("le", "nan"))
            counters.within[bound] = counters.within.get(bound, 0) + value

    def _epoch(self, source: str) -> str:
        """Changes when the source began anew. Texts, so that no rounding makes two of one."""
        told = (self._starts.get(source), self._lives.get(source))
        return "/".join(f"{value:.17g}" for value in told if value is not None)

    def _source(self, labels: Mapping[str, str]) -> str:
        return "/".join(found for name in self._template.source if (found := labels.get(name)))


def key_of(view: View, labels: Mapping[str, str]) -> Key | None:
    """Which version a row is of; None where its labels are of another form."""
    told = [one.told(labels.get(one.name, "")) for one in view.labels]
    return None if None in told else tuple(one for one in told if one is not None)
