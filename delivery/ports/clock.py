"""Port: the time. Core and engine have no other."""

from typing import Protocol

from delivery.model.ids import Micros


class Clock(Protocol):
    def now(self) -> Micros:
        """Wall time, UTC. It may jump; nothing that matters may depend on it alone."""

    def monotonic(self) -> float:
        """Seconds that only go forward: for deadlines inside one process."""

    def pause(self, seconds: float) -> None:
        """Waits in place; only for the few hundred milliseconds of a confirmation."""
