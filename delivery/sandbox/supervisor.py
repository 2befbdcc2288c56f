"""Runs the parts of the local environment, and leaves nothing of them behind, however it ends itself.

Each program has a session of its own, is started again when it dies, and is asked to end in the reverse order of the
start. If the supervisor is killed, Linux ends its programs; anywhere else the next run in the same directory does.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from delivery.sandbox.claim import RunDirectory
from delivery.sandbox.errors import Stopped
from delivery.sandbox.program import Output, Program, Running

T = TypeVar("T")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """One at a time in a directory; used in the main thread, whose end would otherwise end the programs."""

    def __init__(self, directory: RunDirectory, output: Output) -> None:
        self._directory = directory
        self._output = output
        self._running: list[Running] = []
        self._stop = asyncio.Event()
        self._kill = asyncio.Event()

    async def start(self, program: Program) -> Running:
        """Starts a program and returns when it is ready. Raises CannotStart or Stopped, then nothing of it is left."""
        if self._stop.is_set():
            raise Stopped(f"stopped before {program.name} was started")
        running = Running(program, self._directory, self._output)
        self._running.append(running)
        starting = asyncio.create_task(running.start())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            starting.cancel()
            await asyncio.wait([starting])
            raise Stopped(f"stopped while {program.name} was starting")
        if starting.exception() is not None:
            await running.kill()
            self._running.remove(running)
        starting.result()
        return running

    def request_stop(self) -> None:
        """Ends `run`; asked twice, nothing is waited for."""
        if self._stop.is_set():
            self._kill.set()
        self._stop.set()

    async def run(self) -> str | None:
        """Until a stop is asked for (None) or a program keeps dying (its last words, for people)."""
        stopping = asyncio.ensure_future(self._stop.wait())
        gave_up = [running.gave_up for running in self._running]
        waited: list[asyncio.Future[Any]] = [stopping, *gave_up]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        return next((future.result() for future in gave_up if future.done()), None)

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which is cancelled when a stop is asked for (Stopped) or a program keeps dying."""
        working, ending = asyncio.create_task(work), asyncio.create_task(self.run())
        await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            ending.cancel()
            return working.result()
        working.cancel()
        await asyncio.wait({working})
        raise Stopped(ending.result() or "stopped")

    async def stop(self) -> None:
        """Ends everything, last started first."""
        impatient = asyncio.create_task(self._kill.wait())
        for running in reversed(self._running):
            orderly = asyncio.create_task(running.stop())
            await asyncio.wait({orderly, impatient}, return_when=asyncio.FIRST_COMPLETED)
            if not orderly.done():
                orderly.cancel()
                await asyncio.wait([orderly])
                await running.kill()
        impatient.cancel()
        self._running.clear()


@contextlib.asynccontextmanager
async def supervising(
    directory: RunDirectory, output: Output, told: Callable[[str], None] = lambda text: None
) -> AsyncIterator[Supervisor]:
    """A supervisor that ends everything when the block ends, and that Ctrl-C and SIGTERM ask to stop."""
    loop = asyncio.get_running_loop()
    supervisor = Supervisor(directory, output)

    def asked(number: signal.Signals) -> None:
        told(f"{number.name}: stopping")
        supervisor.request_stop()

    for number in SIGNALS:
        loop.add_signal_handler(number, asked, number)
    try:
        yield supervisor
    finally:
        await supervisor.stop()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
