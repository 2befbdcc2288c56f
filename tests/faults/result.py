"""What bounds a part of `make faults`, and what it saw."""

from collections import Counter
from dataclasses import dataclass, field

STORM = 45.0
"""Seconds of each storm; what follows it takes about half as long again."""


@dataclass
class Result:
    """What a part saw. `counted` is what it is bounded by; `lines` say what else there is to say."""

    part: str
    seconds: float = 0.0
    rounds: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Bounds:
    """`minutes` for the part; `enough` of what it counts; `mutant`: a mistake to plant, which it then has to find."""

    minutes: float
    enough: int
    storm: float = STORM
    mutant: str | None = None
    seeds: int = 0
