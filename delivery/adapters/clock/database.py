"""Clock of the database, kept as an offset to this machine's monotonic clock.

Leases and due times are compared by the database's own clock; a worker whose wall clock is off by a minute must not
decide with another one. A step of this machine's wall clock changes nothing here.
"""

import threading
import time
from collections.abc import Callable

from delivery.model.ids import SECOND, Micros
from delivery.ports.errors import PortError

REMEASURE_EVERY = Micros(10 * SECOND)
MAX_ROUND_TRIP = Micros(SECOND // 2)
"""A slower answer says too little about when it was made; the offset before it is better."""


def _monotonic() -> Micros:
    return Micros(time.monotonic_ns() // 1000)


def _wall() -> Micros:
    return Micros(time.time_ns() // 1000)


class DatabaseClock:
    """`read` asks the database for its time and raises Unavailable; `local` and `wall` are this machine's.

    While the database does not answer the last offset stands; before its first answer this machine's wall clock does.
    """

    def __init__(
        self,
        read: Callable[[], Micros],
        local: Callable[[], Micros] = _monotonic,
        wall: Callable[[], Micros] = _wall,
    ) -> None:
        self._read = read
        self._local = local
        self._offset = Micros(wall() - local())
        self._known = False
        self._measured_at: Micros | None = None
        self._measuring = threading.Lock()

    def now(self) -> Micros:
        local = self._local()
        stale = self._measured_at is None or local - self._measured_at >= REMEASURE_EVERY
        if stale and self._measuring.acquire(blocking=False):
            try:
                self._measure()
            finally:
                self._measuring.release()
            local = self._local()
        return Micros(local + self._offset)

    def monotonic(self) -> float:
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def _measure(self) -> None:
        before = self._local()
        self._measured_at = before  # a failure too waits for the next turn: now() is asked in every step
        try:
            theirs = self._read()
        except PortError:
            return
        after = self._local()
        if self._known and after - before > MAX_ROUND_TRIP:
            return
        self._offset = Micros(theirs - (before + after) // 2)
        self._known = True
