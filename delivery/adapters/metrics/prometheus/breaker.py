"""A breaker before one server: one that fails again and again is left alone for a while. Nobody waits for it then."""

from collections.abc import Callable

from delivery.ports.errors import Unavailable

FAILURES = 3
REST_SECONDS = 15.0


class Breaker:
    """Opens after `FAILURES` calls in a row that failed; after `REST_SECONDS` one call tries whether it is back."""

    def __init__(self, name: str, monotonic: Callable[[], float]) -> None:
        self._name = name
        self._monotonic = monotonic
        self._failures = 0
        self._until = 0.0

    def check(self) -> None:
        """Raises Unavailable at once while the server is left alone."""
        left = self._until - self._monotonic()
        if left > 0:
            raise Unavailable(f"{self._name} failed {self._failures} times and is asked again in {left:.0f} s", left)

    def worked(self) -> None:
        self._failures, self._until = 0, 0.0

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES:
            self._until = self._monotonic() + REST_SECONDS
