"""From an async endpoint to the ledger: one writer thread takes what has queued up, commits it once, then answers.

Measured to be four times as fast as a commit for each request, with a lower p99, because a commit's cost is its sync.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from api import tracing
from api.problems import Problem
from delivery.engine.answer import Answer, Arrival
from delivery.ports.errors import Unavailable

Accept = Callable[[Sequence[Arrival]], tuple[Answer, ...]]


@dataclass(frozen=True, slots=True)
class _Waiting:
    arrival: Arrival
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[Answer]"


class Intake:
    """`accept` returns after the commit. `capacity` bounds what may wait, `most` what shares a commit."""

    def __init__(self, accept: Accept, on_batch: Callable[[int], None], capacity: int = 1024, most: int = 256) -> None:
        self._accept = accept
        self._on_batch = on_batch
        self._most = most
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(capacity)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns when all that was queued is committed and answered."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    async def submit(self, arrival: Arrival) -> Answer:
        """The answer, after the commit. Raises the problem `busy`, Unavailable, or what the inbox raised."""
        loop = asyncio.get_running_loop()
        if trace := tracing.current():
            arrival = replace(arrival, notice=replace(arrival.notice, trace=trace))
        waiting = _Waiting(arrival, loop, loop.create_future())
        try:
            self._queue.put_nowait(waiting)
        except queue.Full:
            raise Problem("busy", "the intake is full; send it again in a second", {"Retry-After": "1"}) from None
        return await waiting.answer

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, last = self._take(first)
            self._settle(batch)
            if last:
                return

    def _take(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        """All that waits already, and whether the end was among it: nobody is waited for."""
        batch = [first]
        with contextlib.suppress(queue.Empty):
            while len(batch) < self._most:
                item = self._queue.get_nowait()
                if item is None:
                    return batch, True
                batch.append(item)
        return batch, False

    def _settle(self, batch: list[_Waiting]) -> None:
        self._on_batch(len(batch))
        try:
            answers: Sequence[Answer | Exception] = self._accept([waiting.arrival for waiting in batch])
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, Unavailable):
                for waiting in batch:  # one delivery that cannot be worked on must not spoil the others
                    self._settle([waiting])
                return
            answers = [error] * len(batch)
        for waiting, answer in zip(batch, answers, strict=True):
            with contextlib.suppress(RuntimeError):  # the loop is gone: so is whoever waited
                waiting.loop.call_soon_threadsafe(_resolve, waiting.answer, answer)


def _resolve(future: "asyncio.Future[Answer]", answer: Answer | Exception) -> None:
    if future.done():  # the sender went away; what it sent is stored all the same
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
