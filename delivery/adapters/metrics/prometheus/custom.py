"""Port Metrics over PromQL that people wrote instead of a template."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from delivery.adapters.metrics.prometheus.per_version import PerVersion, check_query, mixes, source
from delivery.adapters.metrics.prometheus.query import ERRORS, PART, REQUESTS
from delivery.adapters.metrics.prometheus.reasons import Reasons
from delivery.adapters.metrics.prometheus.rows import NOT_A_COUNT
from delivery.adapters.metrics.prometheus.server import Row, Server
from delivery.adapters.metrics.prometheus.subjects import Locate, mixed_up
from delivery.model.ids import SECOND, Micros
from delivery.model.series import Sample, Series, Unread, Why
from delivery.ports.clock import Clock
from delivery.ports.metrics import Subject

ALIVE, SLOW = "alive", "slow:"


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
        for part, query in self.parts().items():
            check_query(query, distinct=part != ALIVE)

    @property
    def mix(self) -> bool:
        """Whether stable and a copy of it are one to any of them."""
        return any(map(mixes, self.parts().values()))

    def parts(self) -> Mapping[str, str]:
        """Every query, by what it counts."""
        slow = {f"{SLOW}{bound}": query for bound, query in sorted(self.slow.items())}
        return {ALIVE: self.alive, REQUESTS: self.requests, ERRORS: self.errors, **slow}


class PrometheusQueries:
    """`seconds` bounds one call of `sample`; `each`: series that the queries of one version may give.

    `lag`: seconds by which what the queries give is older than the moment in which they are asked.
    """

    def __init__(
        self,
        server: Server,
        queries: Queries,
        clock: Clock,
        locate: Locate,
        seconds: float = 10.0,
        each: int = 2_000,
        lag: int = 0,
    ) -> None:
        self._mixes = queries.mix
        self._asked = PerVersion(server, queries.parts(), clock, locate, seconds)
        self._each = each
        self._lag = lag
        self._reasons = Reasons()

    def sample(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sample | Unread]:
        unread = {one: reason for one in subjects if self._mixes and (reason := mixed_up(one))}
        rows = self._asked.rows([one for one in dict.fromkeys(subjects) if one not in unread])
        found = unread | {
            subject: one if isinstance(one, Unread) else self._sample(one) for subject, one in rows.items()
        }
        self._reasons.log(found)
        return found

    def _sample(self, rows: Sequence[Row]) -> Sample | Unread:
        counted = [row for row in rows if row["metric"][PART] != ALIVE]
        if len(rows) == len(counted):
            return Unread(Why.NOT_SCRAPED, "the query `alive` gives nothing: is what counts scraped?")
        if len(counted) > self._each:
            text = f"its queries give {len(counted)} series, {self._each} are allowed: sum by fewer labels"
            return Unread(Why.TOO_MANY, text)
        sources: dict[str, dict[str, int]] = {}
        for row in counted:
            part, value = row["metric"][PART], float(row["value"][1])
            if not math.isfinite(value):
                return Unread(Why.NOT_A_COUNT, f"the query `{part}` {NOT_A_COUNT}")
            sources.setdefault(source(row), {})[part] = round(value)
        at = Micros(round(float(rows[0]["value"][0]) * SECOND))
        return Sample(at, {name: _series(found) for name, found in sources.items()}, Micros(self._lag * SECOND))


def _series(found: Mapping[str, int]) -> Series:
    slow = tuple((int(part.removeprefix(SLOW)), value) for part, value in found.items() if part.startswith(SLOW))
    return Series(found.get(REQUESTS, 0), found.get(ERRORS, 0), tuple(sorted(slow)))
