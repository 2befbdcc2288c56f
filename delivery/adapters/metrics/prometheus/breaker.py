"""A breaker before one server: one that fails again and again is left alone for a while. Nobody waits for it then."""

from collections.abc import Callable

from delivery.model.series import Why
from delivery.ports.metrics import Unmeasured

FAILURES = 3
REST_SECONDS = 15.0


class Breaker:
    """Opens after `FAILURES` calls in a row that failed; after `REST_SECONDS` one call tries whether it is back."""

    def __init__(self, name: str, monotonic: Callable[[], float]) -> None:
        self._name = name
        self._monotonic = monotonic
        self._failures = 0
        self._until = 0.0
        self._last = ""

    def check(self) -> None:
        """Raises Unmeasured at once while the server is left alone, with what was wrong the last time."""
        left = self._until - self._monotonic()
        if left > 0:
            text = f"{self._name} failed {self._failures} times and is left alone for a moment: {self._last}"
            raise Unmeasured(text, Why.RESTING, left)

    def worked(self) -> None:
        self._failures, self._until = 0, 0.0

    def failed(self, reason: str) -> None:
        self._failures += 1
        self._last = reason
        if self._failures >= FAILURES:
            self._until = self._monotonic() + REST_SECONDS
