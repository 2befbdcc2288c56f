"""Port Metrics over PromQL that people wrote: each version is asked for by queries of its own, many in one call."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from delivery.adapters.metrics.prometheus.promql import BadQuery, check, rendered
from delivery.adapters.metrics.prometheus.query import ERRORS, PART, REQUESTS
from delivery.adapters.metrics.prometheus.rows import NOT_A_COUNT
from delivery.adapters.metrics.prometheus.server import Row, Server
from delivery.adapters.metrics.prometheus.subjects import IN_KUBERNETES, PLACES, Locate, values
from delivery.adapters.metrics.prometheus.unread import Unread
from delivery.model.ids import SECOND, Micros
from delivery.model.series import Sample, Series
from delivery.ports.clock import Clock
from delivery.ports.errors import PortError, Unavailable
from delivery.ports.metrics import Subject

ALIVE, SLOW = "alive", "slow:"
BATCH = 20
"""Versions in one call: each has a query for every thing that is counted."""
_SUBJECT = "delivery_subject"
_OURS = (PART, _SUBJECT, "__name__")


@dataclass(frozen=True, slots=True)
class Queries:
    """Cumulative counters of one version: the labels that a row has are the source that counted it.

    `alive` gives a row while what counts is scraped, so that nothing counted can be told from nothing known. `slow` has
    for each bound in milliseconds the requests slower than it. Raises BadQuery.
    """

    requests: str
    errors: str
    alive: str
    slow: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for query in self.parts().values():
            check(query, PLACES)
        for one in (self.requests, self.errors):
            if not check(one, PLACES) & {"backend", "identity", "version", "object", "host", "workload", "subset"}:
                raise BadQuery(f"{one!r} has no placeholder that tells versions apart, such as {{version}}")

    def parts(self) -> Mapping[str, str]:
        """Every query, by what it counts."""
        slow = {f"{SLOW}{bound}": query for bound, query in sorted(self.slow.items())}
        return {ALIVE: self.alive, REQUESTS: self.requests, ERRORS: self.errors, **slow}


class PrometheusQueries:
    """`seconds` bounds one call of `sample`; `each`: series that the queries of one version may give."""

    def __init__(
        self, server: Server, queries: Queries, clock: Clock, locate: Locate, seconds: float = 10.0, each: int = 2_000
    ) -> None:
        placed = any(check(query, PLACES) & set(IN_KUBERNETES) for query in queries.parts().values())
        self._server = server
        self._queries = queries.parts()
        self._clock = clock
        self._locate = locate if placed else None
        self._seconds = seconds
        self._each = each
        self._unread = Unread()

    def sample(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sample | None]:
        until = self._clock.monotonic() + self._seconds
        found: dict[Subject, Sample | str] = {}
        distinct = list(dict.fromkeys(subjects))
        errors = []
        for first in range(0, len(distinct), BATCH):
            batch = distinct[first : first + BATCH]
            try:
                found |= self._batch(batch, until - self._clock.monotonic())
            except Unavailable as error:
                errors.append(error)
                found |= dict.fromkeys(batch, str(error))
        if errors and not any(isinstance(one, Sample) for one in found.values()):
            raise errors[0]
        return self._unread.told(found)

    def _batch(self, subjects: Sequence[Subject], left: float) -> dict[Subject, Sample | str]:
        if left <= 0:
            raise Unavailable(f"{self._server.name} took longer than {self._seconds:g} s")
        found: dict[Subject, Sample | str] = {}
        texts: list[str] = []
        for number, subject in enumerate(subjects):
            try:
                told = values(subject, self._locate(subject.target) if self._locate else None)
            except PortError as error:
                found[subject] = str(error)
                continue
            texts += [_marked(rendered(query, told), part, number) for part, query in self._queries.items()]
        rows: dict[str, list[Row]] = {}
        for row in self._server.query(" or ".join(texts), left) if texts else ():
            rows.setdefault(row["metric"].get(_SUBJECT, ""), []).append(row)
        for number, subject in enumerate(subjects):
            found.setdefault(subject, self._sample(rows.get(str(number), [])))
        return found

    def _sample(self, rows: Sequence[Row]) -> Sample | str:
        counted = [row for row in rows if row["metric"][PART] != ALIVE]
        if len(rows) == len(counted):
            return "the query `alive` gives nothing: is what counts scraped?"
        if len(counted) > self._each:
            return f"its queries give {len(counted)} series, {self._each} are allowed: sum by fewer labels"
        sources: dict[str, dict[str, int]] = {}
        for row in counted:
            part, value = row["metric"][PART], float(row["value"][1])
            if not math.isfinite(value):
                return f"the query `{part}` {NOT_A_COUNT}"
            sources.setdefault(_source(row), {})[part] = round(value)
        at = Micros(round(float(rows[0]["value"][0]) * SECOND))
        return Sample(at, {source: _series(found) for source, found in sources.items()})


def _marked(query: str, part: str, number: int) -> str:
    inner = f'label_replace(({query}), "{PART}", "{part}", "", "")'
    return f'label_replace({inner}, "{_SUBJECT}", "{number}", "", "")'


def _source(row: Row) -> str:
    return "/".join(value for name, value in sorted(row["metric"].items()) if name not in _OURS)


def _series(found: Mapping[str, int]) -> Series:
    slow = tuple((int(part.removeprefix(SLOW)), value) for part, value in found.items() if part.startswith(SLOW))
    return Series(found.get(REQUESTS, 0), found.get(ERRORS, 0), tuple(sorted(slow)))
