"""Measures of one's own beside requests: conversions (events of what they are counted of) and levels (gauges)."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from delivery.adapters.metrics.prometheus.per_version import PerVersion, check_query, source
from delivery.adapters.metrics.prometheus.promql import BadQuery
from delivery.adapters.metrics.prometheus.query import PART
from delivery.adapters.metrics.prometheus.rows import NOT_A_COUNT
from delivery.adapters.metrics.prometheus.server import Row
from delivery.adapters.metrics.prometheus.unread import Unread
from delivery.model.series import Sample, Series
from delivery.ports.errors import Unavailable
from delivery.ports.metrics import Metrics, Subject

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

    def __init__(self, inner: Metrics, asked: PerVersion) -> None:
        self._inner = inner
        self._asked = asked
        self._unread = Unread()

    def sample(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sample | None]:
        found = dict(self._inner.sample(subjects))
        known = [subject for subject, one in found.items() if one is not None]
        try:
            rows = self._asked.rows(known)
        except Unavailable as error:
            rows = dict.fromkeys(known, str(error))
        told = {subject: one if isinstance(one, str) else _read(one) for subject, one in rows.items()}
        self._unread.told({subject: one for subject, one in told.items() if isinstance(one, str)})
        for subject, measured in told.items():
            sample = found[subject]
            if sample is not None and not isinstance(measured, str):
                found[subject] = replace(sample, series={**sample.series, **measured})
        return found


def _read(rows: Sequence[Row]) -> Mapping[str, Series] | str:
    """A series of its own for each source that measures, so that it is mistaken for none that counts requests."""
    events: dict[tuple[str, str], int] = {}
    of: dict[tuple[str, str], int] = {}
    levels: dict[str, list[tuple[str, float]]] = {}
    for row in rows:
        part, _, name = row["metric"][PART].partition("/")
        value, where = float(row["value"][1]), f"measured:{source(row)}"
        if not math.isfinite(value):
            return f"the measure {name} {NOT_A_COUNT}"
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
