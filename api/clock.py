"""The time on the event loop, which waits for nothing: a database that hangs must not keep /healthz from answering."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from delivery.model.ids import SECOND, Micros
from delivery.ports.clock import Clock

EVERY = 5.0
"""Seconds between two looks at the clock behind, which may be the database's."""


class LoopClock:
    """Counts on by itself from the last look, which a thread has."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: tuple[Micros, float] | None = None

    def now(self) -> Micros:
        at, since = self._seen or self._look()
        return Micros(at + round((self._clock.monotonic() - since) * SECOND))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks again and again for as long as the block lasts; no thread of it outlives that."""
        ended = asyncio.Event()
        self._seen = await asyncio.to_thread(self._look)
        following = asyncio.create_task(self._follow(ended))
        try:
            yield
        finally:
            ended.set()
            await following

    async def _follow(self, ended: asyncio.Event) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), EVERY)
                return
            self._seen = await asyncio.to_thread(self._look)

    def _look(self) -> tuple[Micros, float]:
        return self._clock.now(), self._clock.monotonic()
