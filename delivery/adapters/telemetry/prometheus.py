"""Telemetry as Prometheus metrics, structured log lines and, where somebody takes them, traces."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.registry import Collector

from delivery.adapters.telemetry.exposition import visible
from delivery.adapters.telemetry.metrics import METRICS, PREFIX, Kind, Metric
from delivery.ports.telemetry import Work

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which nobody asks for
log = structlog.stdlib.get_logger("delivery")


class Traces(Protocol):
    def tell(self, within: str, work: Work) -> None: ...


class PrometheusTelemetry:
    """One for each process. What is not in the table, or has other labels, is logged once and dropped: never raises."""

    def __init__(self, traces: Traces | None = None) -> None:
        self._traces = traces
        self.registry = CollectorRegistry()
        self._metrics = {name: _make(name, metric, self.registry) for name, metric in METRICS.items()}
        self._labelled: dict[tuple[object, ...], Any] = {}
        self._complained: set[str] = set()

    def visible(self, more: Sequence[Collector] = ()) -> CollectorRegistry:
        """What a scrape of this process shows, with what is read only when it is asked for."""
        return visible(self.registry, more)

    def count(self, metric: str, amount: float = 1, **labels: str) -> None:
        try:
            self._found(metric, labels).inc(amount)
        except (KeyError, ValueError, AttributeError) as error:
            self._complain(metric, error)

    def observe(self, metric: str, value: float, **labels: str) -> None:
        try:
            self._found(metric, labels).observe(value)
        except (KeyError, ValueError, AttributeError) as error:
            self._complain(metric, error)

    def log(self, event: str, **fields: object) -> None:
        """A line with an `error` is a warning: something of ours needs a look."""
        log.log(logging.WARNING if "error" in fields else logging.INFO, event, **fields)

    @property
    def tracing(self) -> bool:
        return self._traces is not None

    def trace(self, within: str, work: Work) -> None:
        try:
            if self._traces is not None:
                self._traces.tell(within, work)
        except Exception as error:  # whatever it is, it is told only
            self._complain("traces", error)

    def _found(self, metric: str, labels: Mapping[str, str]) -> Any:
        """The series. Kept, because finding it among a metric's costs more than to add to it."""
        key = (metric, *labels.items())
        series = self._labelled.get(key)
        if series is None:
            found = self._metrics[metric]
            series = self._labelled[key] = found.labels(**labels) if labels else found
        return series

    def _complain(self, metric: str, error: Exception) -> None:
        if metric not in self._complained:
            self._complained.add(metric)
            log.error("metric_dropped", metric=metric, error=repr(error))


def _make(name: str, metric: Metric, registry: CollectorRegistry) -> Counter | Histogram:
    name = PREFIX + (metric.shown or name)
    if metric.kind is Kind.COUNTER:
        return Counter(name, metric.help, metric.labels, registry=registry)
    return Histogram(name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)
