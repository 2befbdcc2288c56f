"""What is measured: values over repetitions, with the goal beside them."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Better(StrEnum):
    MORE = "more"
    LESS = "less"


@dataclass(frozen=True, slots=True)
class Goal:
    """The `quantile` of the values (0.5 is the median) is to be at least or at most so much."""

    limit: float
    better: Better
    quantile: float = 0.5

    def __str__(self) -> str:
        which = "median" if self.quantile == 0.5 else f"p{self.quantile * 100:g}"
        return f"{which} {'>=' if self.better is Better.MORE else '<='} {show(self.limit)}"

    def met(self, values: Sequence[float]) -> bool:
        found = quantile(values, self.quantile)
        return found >= self.limit if self.better is Better.MORE else found <= self.limit


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a table. `values` are of all repetitions, in the order in which they were taken."""

    name: str
    unit: str
    values: tuple[float, ...]
    goal: Goal | None = None
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all is not above (nearest rank: one that was measured)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if share != 0.5 else statistics.median(ordered)


def show(value: float) -> str:
    """With three digits, or as many as a whole number has."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}".replace(",", " ")
