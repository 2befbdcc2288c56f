"""What a worker needs of the engine.

A worker has two reasons to look for work, its own scan and hints. Each cluster has a drain of its own, so that one that
does not answer holds up no other; drains of one cluster never overlap in a process.
"""

import threading
from collections.abc import Mapping
from typing import Protocol

DRAIN_LIMIT = 1.0
"""Seconds for one drain. Whoever drains looks again at once while there is work, so a longer one would gain nothing,
and this is what a warm shutdown waits for."""


class Drain(Protocol):
    def run(self, limit: float, /) -> int:
        """Drains what is due for at most about `limit` seconds; how much was done."""


class Outbox(Protocol):
    @property
    def lanes(self) -> tuple[str, ...]:
        """Who is sent to, each by itself."""

    def run(self, lane: str, /) -> int:
        """Sends what waits to be sent in a lane, bounded in time; how much was tried."""


class Heart(Protocol):
    def beat(self, worker: str, detail: str) -> None:
        """Says that this worker lives."""


class Engine(Protocol):
    @property
    def drains(self) -> Mapping[str, Drain]:
        """By cluster."""

    @property
    def rereaders(self) -> Mapping[str, Drain]:
        """What reads again what was only hinted at, by cluster."""

    @property
    def outbox(self) -> Outbox: ...

    @property
    def retention(self) -> Drain:
        """What takes away what is old."""

    @property
    def ledger(self) -> Heart: ...


class OneDrain:
    """The lock around a drain of this process."""

    def __init__(self, drain: Drain) -> None:
        self._drain = drain
        self._draining = threading.Lock()

    def run(self) -> int | None:
        """How much was done; None where another thread of this process drains at this moment."""
        if not self._draining.acquire(blocking=False):
            return None
        try:
            return self._drain.run(DRAIN_LIMIT)
        finally:
            self._draining.release()
