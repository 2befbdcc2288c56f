"""How often somebody may ask: token buckets in this process, one for each name."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from api.problems import Problem

BURST = 10
"""Seconds of which a bucket holds what it gets, and one request at least: so much may come at once."""
_MOST = 10_000
_LOWERING = ("/abort", "/reject", "/pause", "/rollback")
"""Ends of paths of what only lowers exposure."""


class Rate:
    """`a_second` requests in the long run; None: as many as come. Used on the event loop only."""

    def __init__(self, a_second: float | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._a_second = a_second
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> None:
        """Raises Problem, with the time to wait, where there is nothing left."""
        if self._a_second is None:
            return
        now, most = self._monotonic(), max(1.0, self._a_second * BURST)
        left, at = self._buckets.get(name, (most, now))
        left = min(most, left + (now - at) * self._a_second)
        if left < 1:
            wait = max(1, round((1 - left) / self._a_second))
            raise Problem(
                "too-many-requests",
                f"{name} sends more than {self._a_second:g} requests a second; wait {wait} s",
                {"Retry-After": str(wait)},
            )
        self._buckets[name] = (left - 1, now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Rates:
    """`callers`: each token, person or job. `sources`: each source of webhooks."""

    callers: Rate
    sources: Rate

    def caller(self, name: str, method: str, path: str) -> None:
        """One request of somebody. Raises Problem."""
        if not lowers(method, path):
            self.callers.take(name)


def lowers(method: str, path: str) -> bool:
    """Whether a request only lowers exposure: nothing ever keeps it waiting."""
    return (method == "POST" and (path.endswith(_LOWERING) or path == "/stop")) or (method, path) == ("PUT", "/v1/stop")
