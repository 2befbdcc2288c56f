"""One cell of a table: many releases of one setting before one judge."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from scipy.stats import binomtest

from benchmarks.gates.judges import Judge
from benchmarks.gates.traffic import TICK, Served, Setting, generator, play


@dataclass(frozen=True, slots=True)
class Cell:
    """`minutes` until each release that was taken back was; `bad` are the candidate's bad requests in each run."""

    runs: int
    minutes: tuple[float, ...]
    bad: tuple[int, ...]

    @property
    def share(self) -> float:
        return len(self.minutes) / self.runs

    @property
    def median(self) -> float:
        """Of all releases, those that were let through at infinity."""
        return median([*self.minutes, *([math.inf] * (self.runs - len(self.minutes)))])

    @property
    def mean_bad(self) -> float:
        return sum(self.bad) / self.runs

    def within(self, alpha: float) -> bool:
        """Whether nothing speaks for a share above alpha: by chance alone a true alpha is refused once in a hundred."""
        return bool(binomtest(len(self.minutes), self.runs, alpha, alternative="greater").pvalue >= 0.01)

    def plain(self) -> Mapping[str, Any]:
        low, high = binomtest(len(self.minutes), self.runs).proportion_ci(method="wilson")
        middle = self.median
        return {
            "runs": self.runs, "rolled_back": self.share, "interval": [round(low, 5), round(high, 5)],
            "median_minutes": middle if math.isfinite(middle) else None, "mean_bad_requests": self.mean_bad,
        }  # fmt: skip


def judged(judges: Mapping[str, Judge], setting: Setting, runs: int, name: str) -> Mapping[str, Cell]:
    """The same releases before each judge."""
    found: dict[str, list[tuple[float | None, int]]] = {judge: [] for judge in judges}
    for served in _releases(setting, runs, name):
        for judge, judging in judges.items():
            found[judge].append(_end(served, judging(served, setting)))
    return {judge: _cell(ends) for judge, ends in found.items()}


def _releases(setting: Setting, runs: int, name: str) -> Iterator[Served]:
    for run in range(runs):
        yield play(setting, generator(name, run))


def _end(served: Served, look: int | None) -> tuple[float | None, int]:
    bad = int(served.x[:look].sum())
    return (None if look is None else look * TICK / 60, bad)


def _cell(ends: Sequence[tuple[float | None, int]]) -> Cell:
    return Cell(len(ends), tuple(end for end, _ in ends if end is not None), tuple(bad for _, bad in ends))
