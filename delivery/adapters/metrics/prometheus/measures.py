"""Measures of one's own beside requests: conversions (events of what they are counted of) and levels (gauges)."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from delivery.adapters.metrics.prometheus.per_version import PerVersion, check_query, source
from delivery.adapters.metrics.prometheus.promql import BadQuery
from delivery.adapters.metrics.prometheus.query import PART
from delivery.adapters.metrics.prometheus.reasons import Reasons
from delivery.adapters.metrics.prometheus.rows import NOT_A_COUNT
from delivery.adapters.metrics.prometheus.server import Row
from delivery.model.series import Sample, Series, Unread
from delivery.ports.errors import Unavailable
from delivery.ports.metrics import Metrics, Subject, unread

EVENTS, OF, LEVEL = "events", "of", "gauge"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")
_SHAPES = ({EVENTS, OF}, {LEVEL})


@dataclass(frozen=True, slots=True)
class Measure:
    """Two cumulative counters, or one level."""

    queries: Mapping[str, str]


def parse(given: Mapping[str, Any]) -> Mapping[str, Measure]:
    """`{conversion: {events, of}, heap: {gauge}}`, each a query. Raises BadQuery."""
    found = {}
    for name, queries in given.items():
        if not _NAME.fullmatch(name):
            raise BadQuery(f"a measure is called {name!r}; expected letters, digits, _ and -, at most 63")
        if not isinstance(queries, Mapping) or set(queries) not in _SHAPES:
            raise BadQuery(
                f"the measure {name} is {queries!r}; expected a query for `events` and one for `of`, or for `gauge`"
            )
        for query in queries.values():
            check_query(str(query))
        found[name] = Measure({part: str(query) for part, query in queries.items()})
    return found


def queries(measures: Mapping[str, Measure]) -> Mapping[str, str]:
    """Every query, by `PART/NAME`."""
    return {f"{part}/{name}": query for name, one in measures.items() for part, query in one.queries.items()}


class WithMeasures:
    """Port Metrics: what `inner` says, with measures added. A measure that cannot be read spoils nothing else."""

    def __init__(self, inner: Metrics, measures: Mapping[str, Measure], asked: PerVersion) -> None:
        self._inner = inner
        self._measures = measures
        self._asked = asked
        self._reasons = Reasons()

    def sample(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sample | Unread]:
        found = dict(self._inner.sample(subjects))
        samples = {subject: one for subject, one in found.items() if isinstance(one, Sample)}
        measured = {subject: self._with(samples[subject], one) for subject, one in self._rows(samples).items()}
        self._reasons.log(measured)
        return {**found, **measured}

    def _rows(self, samples: Mapping[Subject, Sample]) -> Mapping[Subject, list[Row] | Unread]:
        try:
            return self._asked.rows(list(samples))
        except Unavailable as error:
            return dict.fromkeys(samples, unread(error))

    def _with(self, sample: Sample, rows: Sequence[Row] | Unread) -> Sample:
        """The sample with what the rows say, and with the reason for each measure of which they say nothing."""
        if isinstance(rows, Unread):
            return replace(sample, lacks=dict.fromkeys(self._measures, rows.text))
        lacks = {name: reason for name, one in self._measures.items() if (reason := _missing(name, one, rows))}
        kept = [row for row in rows if _name(row) not in lacks]
        return replace(sample, series={**sample.series, **_series(kept)}, lacks=lacks)


def _name(row: Row) -> str:
    name: str = row["metric"][PART].partition("/")[2]
    return name


def _missing(name: str, measure: Measure, rows: Sequence[Row]) -> str:
    """Why there is nothing of a measure. Events that are not there are none; what they are counted of has to be."""
    own = [row for row in rows if _name(row) == name]
    needed = OF if OF in measure.queries else LEVEL
    if any(not math.isfinite(float(row["value"][1])) for row in own):
        return f"a value of it {NOT_A_COUNT}"
    if not any(row["metric"][PART] == f"{needed}/{name}" for row in own):
        return f"its query `{needed}` gives nothing for this version"
    return ""


def _series(rows: Sequence[Row]) -> Mapping[str, Series]:
    """A series of its own for each source that measures, so that it is mistaken for none that counts requests."""
    events: dict[tuple[str, str], int] = {}
    of: dict[tuple[str, str], int] = {}
    levels: dict[str, list[tuple[str, float]]] = {}
    for row in rows:
        part, _, name = row["metric"][PART].partition("/")
        value, where = float(row["value"][1]), f"measured:{source(row)}"
        if part == LEVEL:
            levels.setdefault(where, []).append((name, value))
        else:
            (events if part == EVENTS else of)[where, name] = round(value)
    rates: dict[str, list[tuple[str, int, int]]] = {}
    for (where, name), total in of.items():
        rates.setdefault(where, []).append((name, events.get((where, name), 0), total))
    return {
        where: Series(
            0,
            0,
            rates=tuple(sorted(rates.get(where, ()))) or None,
            gauges=tuple(sorted(levels.get(where, ()))) or None,
        )
        for where in {**rates, **levels}
    }
