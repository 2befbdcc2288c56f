"""Whether stable is as it was: a stable that begins to crash must not show that the candidate is no worse.

Ticks in which stable has far more bad events than its ticks before led to expect are left out of the evidence for a
PASS. That evidence grows with stable's bad events, so leaving their excess out only makes a PASS rarer.
"""

import math
from collections.abc import Sequence

_TIMES = 3
"""How many times its usual rate stable may have."""
_SPREAD = 4  # standard deviations on top, and as many events


def start() -> list[int]:
    """Stable's bad events and requests in calm ticks so far."""
    return [0, 0]


def is_calm(state: Sequence[int], y: int, m: int) -> bool:
    """Whether y bad of m requests is nothing special after those before."""
    bad, of = state
    if not of:
        return True
    expected = _TIMES * (bad + 1) * m / of
    return y <= expected + _SPREAD * math.sqrt(expected) + _SPREAD


def add(state: Sequence[int], y: int, m: int) -> list[int]:
    """After a calm tick."""
    return [state[0] + y, state[1] + m]
