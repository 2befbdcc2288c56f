"""A clock elsewhere, known by the `Date` of its answers: whole seconds, so that each answer gives bounds only.

Every answer narrows them, best if it is asked for when the second is about to change.
"""

import math
import threading
from dataclasses import dataclass

DRIFT = 1e-4
"""Seconds a second, by which two machines' clocks may move apart."""


@dataclass(frozen=True, slots=True)
class Span:
    """Something happened between the two, in seconds of our own monotonic clock."""

    first: float
    last: float


class RemoteClock:
    """Thread-safe. Nothing is known before the first answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bounds = (-math.inf, math.inf)  # of their time minus our monotonic time
        self._at = 0.0

    def hear(self, asked: float, answered: float, date: float) -> None:
        """An answer that says `date` was made between two of our moments."""
        with self._lock:
            low, high = self._aged(answered)
            new = (date - answered, date + 1 - asked)
            met = (max(low, new[0]), min(high, new[1]))
            self._bounds = met if met[0] <= met[1] else new  # it was set anew
            self._at = answered

    def ours(self, theirs: float, now: float) -> Span:
        """When a moment of theirs was, in our time."""
        with self._lock:
            low, high = self._aged(now)
        return Span(theirs - high, theirs - low)

    def uncertainty(self, now: float) -> float:
        """Seconds."""
        with self._lock:
            low, high = self._aged(now)
        return high - low

    def next_edge(self, now: float) -> float:
        """When to ask so that the answer halves what is uncertain: at what may be the change of their second."""
        with self._lock:
            low, high = self._aged(now)
        if math.isinf(high - low):
            return now
        middle = (low + high) / 2
        return math.ceil(now + middle) - middle

    def _aged(self, now: float) -> tuple[float, float]:
        low, high = self._bounds
        moved = max(0.0, now - self._at) * DRIFT
        return low - moved, high + moved
