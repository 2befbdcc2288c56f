"""Port: what we tell about ourselves. Never raises, never blocks, never decides anything."""

from typing import Protocol


class Telemetry(Protocol):
    def count(self, metric: str, amount: float = 1, **labels: str) -> None:
        """Adds to a counter."""

    def observe(self, metric: str, value: float, **labels: str) -> None:
        """Adds a value (seconds, where it is a time) to a distribution."""

    def log(self, event: str, **fields: object) -> None:
        """One structured line: release and delivery ids go in as fields."""
