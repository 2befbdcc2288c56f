"""How bursty stable's bad events are: phi, the variance of their number over what independent events would have.

For two ticks after another with a and b bad events of m and n requests, independent events put
q = m/(m+n) of a+b in the first, with variance (a+b)*q*(1-q); events in bursts of k have k times as much. The mean of
(a - (a+b)*q)^2 / ((a+b)*q*(1-q)) over pairs with any bad event is phi. Neighbours are compared, so that a baseline that
moves slowly is no burst; one that jumps (an incident) makes phi larger and the gate more careful.

What a tick is divided by is taken from the ticks before it, so that the E-processes stay what they are.
"""

from collections.abc import Sequence

PRIOR = 3.0
"""What is assumed of a service of which nothing was seen yet."""
_WEIGHT = 10.0
"""How many pairs that assumption counts for."""


_KEPT = 400.0
"""How many pairs of earlier releases count: a service may change."""


def start(before: Sequence[float] | None = None) -> list[float]:
    """The sum, the pairs in it, and the last tick's bad events and requests; `before` is an earlier release's end."""
    total, pairs, *_ = before or (0.0, 0)
    kept = min(1.0, _KEPT / pairs) if pairs else 0.0
    return [total * kept, pairs * kept, 0, 0]


def add(state: Sequence[float], y: int, m: int) -> list[float]:
    """After a tick in which stable had y bad of m requests."""
    total, pairs, before, of = state
    if not m:
        return list(state)
    bad = before + y
    if not of or not bad:
        return [total, pairs, y, m]
    q = of / (of + m)
    return [total + (before - bad * q) ** 2 / (bad * q * (1 - q)), pairs + 1, y, m]


def phi(state: Sequence[float]) -> float:
    """The estimate, drawn towards PRIOR while little was seen; 1 or more."""
    total, pairs, *_ = state
    return max(1.0, (PRIOR * _WEIGHT + total) / (_WEIGHT + pairs))
