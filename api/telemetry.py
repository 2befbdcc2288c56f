"""Prometheus metrics of the API: requests, intake, and what the ledger looks like when it is scraped."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from delivery.model.ids import SECOND
from delivery.ports.clock import Clock
from delivery.ports.errors import PortError
from delivery.ports.history import History
from delivery.ports.ledger import Ledger
from delivery.ports.rows import OutboxState

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Whoever sends others, however many, makes no series of their own."""
MOST = 1000
"""Rows that a scrape looks at; a gauge at this value means "or more"."""


class Metrics(Protocol):
    """The metrics of a process: where counters are kept, and what a scrape shows."""

    @property
    def registry(self) -> CollectorRegistry: ...

    def visible(self, more: Sequence[Collector] = ()) -> CollectorRegistry:
        """With what is read only when it is asked for."""


class OwnMetrics:
    """The metrics of a process that has no others."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def visible(self, more: Sequence[Collector] = ()) -> CollectorRegistry:
        for collector in more:
            self.registry.register(collector)
        return self.registry


class Counters:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "delivery_api_requests", "Requests by route and status.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "delivery_api_request_seconds", "Time to the end of the answer.", ("route",), registry=registry
        )
        self._batch = Histogram(
            "delivery_api_intake_batch",
            "Deliveries that shared one commit.",
            buckets=(1, 2, 5, 10, 20, 50, 100, 256),
            registry=registry,
        )
        self._answers = Counter(
            "delivery_api_intake_answers", "Deliveries by source and outcome.", ("source", "outcome"), registry=registry
        )
        self._streams = Gauge(
            "delivery_api_streams", "Open event streams.", registry=registry, multiprocess_mode="livesum"
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method if method in METHODS else "other", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch(self, size: int) -> None:
        self._batch.observe(size)

    def answer(self, source: str, outcome: str) -> None:
        self._answers.labels(source, outcome).inc()

    def streams(self, change: int) -> None:
        self._streams.inc(change)


class LedgerState(Collector):
    """Read at each scrape. An unreachable ledger shows as `delivery_ledger_up 0`, never as a failed scrape."""

    def __init__(self, ledger: Ledger, history: History, clock: Clock, clusters: tuple[str, ...]) -> None:
        self._ledger = ledger
        self._history = history
        self._clock = clock
        self._clusters = clusters

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            found = list(self._read())
        except PortError:
            found = []
        yield GaugeMetricFamily("delivery_ledger_up", "Whether the database answers.", 1 if found else 0)
        yield from found

    def _read(self) -> Iterator[GaugeMetricFamily]:
        yield from self._lateness()
        yield from self._queues()
        now = self._clock.now()
        workers = GaugeMetricFamily(
            "delivery_worker_heard_seconds", "Since a worker was last heard.", labels=["worker"]
        )
        for worker, heard in self._history.workers().items():
            workers.add_metric([worker], max(now - heard, 0) / SECOND)
        yield workers
        running = len(self._history.open_heads(MOST))
        yield GaugeMetricFamily("delivery_releases_open", "Releases that are not over.", running)

    def _lateness(self) -> Iterator[GaugeMetricFamily]:
        due = GaugeMetricFamily(
            "delivery_targets_due", "Targets that are due and held by no worker.", labels=["cluster"]
        )
        late = GaugeMetricFamily("delivery_target_lateness_seconds", "How late the latest is.", labels=["cluster"])
        for cluster in self._clusters:
            count, oldest = self._ledger.lateness((cluster,))
            due.add_metric([cluster], count)
            late.add_metric([cluster], oldest / SECOND)
        yield due
        yield late

    def _queues(self) -> Iterator[GaugeMetricFamily]:
        waiting = self._ledger.outbox(OutboxState.WAITING, MOST)
        age = max((self._clock.now() - row.due_at for row in waiting), default=0)
        yield GaugeMetricFamily("delivery_outbox_waiting", "Messages not yet sent.", len(waiting))
        yield GaugeMetricFamily("delivery_outbox_age_seconds", "How long the oldest is overdue.", max(age, 0) / SECOND)
        dead = GaugeMetricFamily("delivery_dead_rows", "Rows that wait for a person.", labels=["queue"])
        dead.add_metric(["inbox"], self._history.dead_deliveries(MOST))
        dead.add_metric(["outbox"], len(self._ledger.outbox(OutboxState.DEAD, MOST)))
        yield dead
