"""Users before a mesh who ask without a break, and what their clients keep: for the worlds of the mesh contract."""

import asyncio
from collections.abc import Callable, Mapping

from delivery.sandbox.load import Load


class Users:
    """The load runs on the loop from now until `end`; `until` waits for a condition, with a limit."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, load: Load, until: Callable[[Callable[[], bool]], None]
    ) -> None:
        self._loop = loop
        self._load = load
        self._until = until
        self._stop = asyncio.Event()
        self._done = asyncio.run_coroutine_threadsafe(load.run(stop=self._stop), loop)

    @property
    def failed(self) -> Mapping[str, int]:
        return dict(self._load.counts.failed)

    def wait(self, requests: int) -> None:
        wanted = self._load.counts.answered + requests
        self._until(lambda: self._load.counts.answered >= wanted)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._done.result(30)


def cookie(line: str) -> tuple[str, str | None]:
    """Name and value of a Set-Cookie line; no value where it takes the cookie back."""
    pair, *attributes = (part.strip() for part in line.split(";"))
    name, _, value = pair.partition("=")
    return name, None if "Max-Age=0" in attributes else value
