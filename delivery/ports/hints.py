"""Port: "look now". A lost hint costs one scan interval and nothing else."""

from collections.abc import Iterable
from typing import Protocol


class Hints(Protocol):
    def due(self, clusters: Iterable[str]) -> None:
        """Tells the workers of these clusters that something is due. Never raises, never blocks for long."""

    def close(self) -> None:
        """Ends what works in the background; hints on their way may be lost. None is to be given afterwards."""
