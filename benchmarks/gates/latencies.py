"""Slow requests: shares above bounds, as our gate takes them, beside a quantile read from the same buckets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.stats import lognorm

from benchmarks.gates.cell import Cell
from benchmarks.gates.judges import gate
from benchmarks.gates.tables import Report, Table, found
from benchmarks.gates.traffic import MINUTES, TICK, Whole, generator
from delivery.gates.replay import replay
from delivery.model.ids import SECOND, Micros
from delivery.model.verdict import Counts, Tick

BUCKETS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)
MEDIAN_MS, SPREAD = 90.0, 0.451  # a p99 of 257 ms
LOOKS, RPS, SHARE = 30 * MINUTES, 100, 0.05
WATCHED = (250, 500)


@dataclass(frozen=True, slots=True)
class Slowness:
    """Everything takes `times` as long, and a share of requests a second more."""

    times: float = 1.0
    stalled: float = 0.0


CASES: Mapping[str, Slowness] = {
    "healthy": Slowness(), "all 1.3 times slower": Slowness(times=1.3), "2 % a second slower": Slowness(stalled=0.02),
}  # fmt: skip


def latencies(report: Report) -> None:
    """Both versions alike, everything slower, and a tail."""
    judges = {
        "latency, above 250 and 500 ms": _ours,
        "p99 < 300 ms, each minute": lambda ticks: _quantile(ticks, 300),
        "p99 < 500 ms, each minute": lambda ticks: _quantile(ticks, 500),
    }
    title = "Latency, base setting, median 90 ms, p99 257 ms: share rolled back, median minutes"
    cells: dict[str, dict[str, Cell]] = {name: {} for name in judges}
    for case, slowness in CASES.items():
        report.say(f"{title}: {case}")
        ends: dict[str, list[int | None]] = {name: [] for name in judges}
        for run in range(report.runs):
            both = _play(slowness, generator(title, case, run))
            for name, judge in judges.items():
                ends[name].append(judge(both))
        for name, looks in ends.items():
            minutes = tuple(look * TICK / 60 for look in looks if look is not None)
            cells[name][case] = Cell(len(looks), minutes, (0,) * len(looks))
    table = Table(title, ("", *CASES))
    for name, row in cells.items():
        table.rows.append((name, *map(found, row.values())))
        table.cells[name] = {case: cell.plain() for case, cell in row.items()}
    report.tables.append(table)
    report.healthy("latency", cells["latency, above 250 and 500 ms"]["healthy"])


Both = tuple[Whole, Whole]
"""Requests of candidate and stable in each look (rows) and bucket (columns, the last is beyond all bounds)."""


def _play(slowness: Slowness, chance: Generator) -> Both:
    own = chance.poisson(RPS * TICK * SHARE, LOOKS), _shares(slowness)
    other = chance.poisson(RPS * TICK * (1 - SHARE), LOOKS), _shares(Slowness())
    return tuple(chance.multinomial(requests, shares) for requests, shares in (own, other))  # type: ignore[return-value]


def _shares(slowness: Slowness) -> np.ndarray:
    bounds = np.array(BUCKETS, dtype=float)
    usual = lognorm(SPREAD, scale=MEDIAN_MS * slowness.times)
    below = (1 - slowness.stalled) * usual.cdf(bounds) + slowness.stalled * usual.cdf(bounds - 1000)
    return np.diff(np.concatenate([[0.0], below, [1.0]]))


def _ours(both: Both) -> int | None:
    made = gate({"latency": "http_duration", "above": [f"{bound}ms" for bound in WATCHED], "warm_up": "0s"}, stages=1)
    told = replay(made, _ticks(both))
    return told.ticks if told.failed else None


def _ticks(both: Both) -> Iterator[Tick]:
    for look, sides in enumerate(zip(*both, strict=True)):
        span = Micros(look * TICK * SECOND), Micros((look + 1) * TICK * SECOND)
        candidate, stable = map(_counts, sides)
        yield Tick(look + 1, 0, 1, *span, candidate, stable)


def _counts(buckets: np.ndarray) -> Counts:
    total = int(buckets.sum())
    within = np.cumsum(buckets[:-1])
    return Counts(total, 0, tuple((bound, total - int(n)) for bound, n in zip(BUCKETS, within, strict=True)))


def _quantile(both: Both, limit: float) -> int | None:
    """The candidate's p99 of each minute, read as Prometheus does: even within a bucket. One breach is allowed."""
    breaches = 0
    for end in range(MINUTES, LOOKS + 1, MINUTES):
        buckets = both[0][end - MINUTES : end].sum(axis=0)
        breaches += _p99(buckets) > limit
        if breaches > 1:
            return end
    return None


def _p99(buckets: np.ndarray) -> float:
    rank, below = 0.99 * buckets.sum(), np.cumsum(buckets)
    at = int(np.searchsorted(below, rank))
    if at >= len(BUCKETS):
        return float(BUCKETS[-1])
    low, before = (BUCKETS[at - 1], below[at - 1]) if at else (0, 0)
    return float(low + (BUCKETS[at] - low) * (rank - before) / max(1, buckets[at]))
