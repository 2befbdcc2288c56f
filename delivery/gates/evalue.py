"""E-processes for rates of bad events: evidence that may be looked at after every tick.

An E-process starts at 1, is never negative and has expectation at most 1 at every time while its null holds; by
Ville's inequality it ever reaches 1/alpha with probability at most alpha then. Formulas: Lindon et al., "Rapid
Regression Detection in Software Deployments through Sequential Testing" (KDD 2022, arXiv 2205.14762).

Each process is a mean over six alternatives. The sum for each of them is a *lane*, in the log domain. A process that
is also a mean over its starts (one at each stage's start, a share of 1/stages each) needs no lane of its own for
every start: all of them grow by the same amounts, so that a lane holds the log of the sum over those that have begun.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_LOG_2 = math.log(2)
GRID = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""Alternatives, as multiples of the boundary (worse) or divisors of it (better)."""


@dataclass(frozen=True, slots=True)
class RatioTest:
    """Of the candidate's rate of bad events over stable's, at a boundary `r0` (F1).

    For x bad events of the candidate among e of both, and w the candidate's share of all requests in a tick:

        log LR(r; r0) = x*log(r/r0) - e*log((1 + w*(r-1)) / (1 + w*(r0-1)))

    Given what each side served and what was bad in total, this bounds the likelihood ratio of any pair of rates, since
    1+z <= exp(z): a baseline that moves and a split that varies are allowed for. `phi` >= 1 divides it where bad
    events come in bursts; it may be another one in every tick, as long as it is chosen from the ticks before.
    """

    boundary: float  # r0 - 1
    terms: tuple[tuple[float, float], ...]  # log(r/r0) and r - 1 of each alternative

    @staticmethod
    def worse(r0: float) -> "RatioTest":
        """Null: at every tick the candidate's rate is at most `r0` times stable's."""
        return _ratio_test(r0, [r0 * g for g in GRID])

    @staticmethod
    def better(r0: float) -> "RatioTest":
        """Null: at every tick the candidate's rate is at least `r0` times stable's."""
        return _ratio_test(r0, [r0 / g for g in GRID])

    def add(self, lanes: Sequence[float], x: int, e: int, w: float, phi: float = 1.0) -> list[float]:
        """The lanes after one tick."""
        if not e or w >= 1:  # no bad event, or nothing to compare with: every increment is 0
            return list(lanes)
        log1p = math.log1p
        base = e * log1p(w * self.boundary)
        return [
            lane + (x * rise - e * log1p(w * more) + base) / phi
            for lane, (rise, more) in zip(lanes, self.terms, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class RateTest:
    """Of one version's rate of bad events, at a boundary `p0` (F3): log LR = x*log(p/p0) + (n-x)*log((1-p)/(1-p0)).

    The alternatives multiply the odds p/(1-p), which for the small rates of practice is to multiply the rate, and stay
    below 1 whatever the boundary.
    """

    terms: tuple[tuple[float, float], ...]  # what a bad and a good request add

    @staticmethod
    def worse(p0: float) -> "RateTest":
        """Null: at every tick the rate is at most `p0`."""
        return _rate_test(p0, GRID)

    @staticmethod
    def better(p0: float) -> "RateTest":
        """Null: at every tick the rate is at least `p0`."""
        return _rate_test(p0, [1 / g for g in GRID])

    def add(self, lanes: Sequence[float], x: int, n: int, phi: float = 1.0) -> list[float]:
        """The lanes after one tick: x bad of n, in bursts where `phi` is more than 1."""
        bad, good = x / phi, (n - x) / phi
        return [lane + bad * up + good * down for lane, (up, down) in zip(lanes, self.terms, strict=True)]


def idle() -> list[float]:
    """Lanes of which no start has begun; `begin` comes before the first tick."""
    return []


def begin(lanes: Sequence[float], starts: int) -> list[float]:
    """The lanes with one more start begun, each of which has a share of 1/`starts`."""
    share = -math.log(starts)
    return [_log_add(lane, share) for lane in lanes] or [share] * len(GRID)


def log_value(lanes: Sequence[float], waiting: float = 0.0) -> float:
    """The log of an E-process. `waiting` is the share of the starts that have not begun: they stand at 1."""
    if not lanes:
        return 0.0
    top = max(lanes) if waiting <= 0 else max(0.0, *lanes)
    total = sum([math.exp(lane - top) for lane in lanes]) / len(lanes)
    return top + math.log(total + waiting * math.exp(-top) if waiting > 0 else total)


def most(lanes: Sequence[float]) -> float:
    """What `log_value` is never above, at a tenth of its cost.

    A mean is not above its greatest part, and the starts that have not begun add no more than one of it.
    """
    return max(0.0, *lanes) + _LOG_2 if lanes else 0.0


def log_of_both(lanes: Sequence[float], others: Sequence[float], waiting: float = 0.0) -> float:
    """The log of the mean of two E-processes; of the first alone where the other one never begins."""
    value = log_value(lanes, waiting)
    return log_mean((value, log_value(others, waiting))) if others else value


def log_mean(values: Sequence[float]) -> float:
    """The log of a mean of E-processes, which is one whatever their dependence."""
    top = max(values)
    return top + math.log(sum([math.exp(value - top) for value in values]) / len(values))


def _log_add(a: float, b: float) -> float:
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))


def _ratio_test(r0: float, alternatives: Sequence[float]) -> RatioTest:
    return RatioTest(r0 - 1, tuple((math.log(r / r0), r - 1) for r in alternatives))


def _rate_test(p0: float, odds_ratios: Sequence[float]) -> RateTest:
    odds = p0 / (1 - p0)
    rates = [odds * ratio / (1 + odds * ratio) for ratio in odds_ratios]
    return RateTest(tuple((math.log(p / p0), math.log((1 - p) / (1 - p0))) for p in rates))
