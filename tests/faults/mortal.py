"""The whole service, whose workers and API are killed and started again while people and CI go on asking."""

import time
from typing import Any

import httpx

from tests.cluster.whole import START_SECONDS, Json, Whole

AGAIN_AFTER = 0.2
DEAD_FOR = 2 * START_SECONDS
"""Seconds after which whoever asks gives up."""


class Mortal(Whole):
    """Who asks an API that is dead, or dies over it, asks the same again: with the same event, with the same key."""

    def kill_worker(self) -> None:
        """The one that has lived longest."""
        name = next(iter(self.workers))
        self.workers.pop(name).kill()
        self.start_worker(name)

    def kill_workers(self) -> None:
        names = list(self.workers)
        for name in names:
            self.workers[name].kill()
        for name in names:
            self.start_worker(name)

    def kill_api(self) -> None:
        assert self.api is not None
        self.api.kill()
        self.start_api()

    def _call(self, method: str, path: str, who: str | None, **arguments: Any) -> Json:
        end = time.monotonic() + DEAD_FOR
        while True:
            try:
                return super()._call(method, path, who, **arguments)
            except httpx.TransportError:
                if time.monotonic() > end:
                    raise
            time.sleep(AGAIN_AFTER)
