"""Hints that stay in the process: for the simulation and for tests of whoever gives them."""

from collections.abc import Iterable


class MemoryHints:
    """Keeps the clusters until somebody takes them; twice the same before that is once."""

    def __init__(self) -> None:
        self._due: dict[str, None] = {}

    def due(self, clusters: Iterable[str]) -> None:
        self._due.update(dict.fromkeys(clusters))

    def take(self) -> tuple[str, ...]:
        """The clusters that were hinted at since the last call, in the order of their first hint."""
        taken = tuple(self._due)
        self._due.clear()
        return taken

    def close(self) -> None:
        """There is nothing to end."""
