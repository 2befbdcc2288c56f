"""Telemetry that is kept in the process: for tests and the simulation."""

from collections import Counter

from delivery.ports.telemetry import Work


class MemoryTelemetry:
    """`counts` by metric and labels, `values` of observations, `lines` of the log, `works` by their trace."""

    tracing = True

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self.values: dict[str, list[float]] = {}
        self.lines: list[tuple[str, dict[str, object]]] = []
        self.works: dict[str, list[Work]] = {}

    def count(self, metric: str, amount: float = 1, **labels: str) -> None:
        self.counts[metric, tuple(sorted(labels.items()))] += amount  # type: ignore[assignment]

    def observe(self, metric: str, value: float, **labels: str) -> None:
        self.values.setdefault(metric, []).append(value)

    def log(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))

    def trace(self, within: str, work: Work) -> None:
        self.works.setdefault(within, []).append(work)
