"""No hints: workers find what is due by their scan alone."""

from collections.abc import Iterable


class NoHints:
    def due(self, clusters: Iterable[str]) -> None:
        """Nobody is told."""

    def close(self) -> None:
        """There is nothing to end."""
