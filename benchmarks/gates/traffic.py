"""Simulated releases: what both versions served and failed, look by look. Seeded."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from delivery.model.ids import SECOND, Micros
from delivery.model.verdict import Counts, Tick

TICK = 15  # seconds
MINUTES = 60 // TICK  # looks in one
Whole = NDArray[np.int64]
Shape = Callable[[Whole], NDArray[np.float64]]
"""By what the rate is multiplied at each look."""


def level(looks: Whole) -> NDArray[np.float64]:
    return np.ones(len(looks))


def incident(looks: Whole) -> NDArray[np.float64]:
    """Ten times as many errors for five minutes in the second ten, and for two in the third."""
    hit = ((looks >= 12 * MINUTES) & (looks < 17 * MINUTES)) | ((looks >= 25 * MINUTES) & (looks < 27 * MINUTES))
    return np.where(hit, 10.0, 1.0)


def cold(looks: Whole) -> NDArray[np.float64]:
    """Four times as many in the first two minutes."""
    return np.where(looks < 2 * MINUTES, 4.0, 1.0)


def late(looks: Whole) -> NDArray[np.float64]:
    """Three times as many from the 20th minute on."""
    return np.where(looks >= 20 * MINUTES, 3.0, 1.0)


@dataclass(frozen=True, slots=True)
class Setting:
    """`stages` are the candidate's share and for how many minutes; `times` is how much worse the candidate is.

    `both` happens to both versions, `own` to the candidate alone. Errors come `burst` at a time, or with `mean_burst`
    in geometric bursts of that mean.
    """

    rps: float = 100.0
    errors: float = 0.005
    stages: tuple[tuple[float, int], ...] = ((0.05, 30),)
    times: float = 1.0
    both: Shape = level
    own: Shape = level
    burst: int = 1
    mean_burst: float | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """Bad x of n requests of the candidate, y of m of stable, in each look of a release."""

    stage: Whole
    x: Whole
    n: Whole
    y: Whole
    m: Whole

    def ticks(self) -> list[Tick]:
        """As they are stored."""
        columns = zip(*(column.tolist() for column in (self.stage, self.x, self.n, self.y, self.m)), strict=True)
        return [
            Tick(number, stage, 1, _at(number - 1), _at(number), Counts(n, x), Counts(m, y))
            for number, (stage, x, n, y, m) in enumerate(columns, start=1)
        ]


def generator(*what: object) -> Generator:
    """Chance that depends on what is simulated and on nothing else."""
    return np.random.default_rng(zlib.crc32(repr(what).encode()))


def play(setting: Setting, chance: Generator) -> Served:
    """One release to its end."""
    stage = np.concatenate([np.full(minutes * MINUTES, index) for index, (_, minutes) in enumerate(setting.stages)])
    share = np.array([share for share, _ in setting.stages])[stage]
    looks = np.arange(len(stage))
    requests = setting.rps * TICK
    n, m = chance.poisson(requests * share), chance.poisson(requests * (1 - share))
    rate = setting.errors * setting.both(looks)
    own = np.minimum(1.0, rate * setting.times * setting.own(looks))
    x, y = _bad(setting, chance, n, own), _bad(setting, chance, m, np.minimum(1.0, rate))
    return Served(stage, x, n, y, m)


def _bad(setting: Setting, chance: Generator, requests: Whole, rate: NDArray[np.float64]) -> Whole:
    if setting.mean_burst is not None:
        bursts = chance.poisson(requests * rate / setting.mean_burst)
        sizes = [int(chance.geometric(1 / setting.mean_burst, count).sum()) for count in bursts]
        return np.minimum(requests, np.array(sizes, dtype=np.int64))
    if setting.burst > 1:
        return np.minimum(requests, setting.burst * chance.poisson(requests * rate / setting.burst))
    return chance.binomial(requests, rate)


def _at(look: int) -> Micros:
    return Micros(look * TICK * SECOND)
