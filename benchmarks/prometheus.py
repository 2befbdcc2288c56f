"""What releases ask of Prometheus: queries and series for 1, 100 and 1 000 that run at once and share a template.

A real Prometheus scrapes three proxies, each with the counters and twelve latency buckets of every version. The adapter
is the one of production; a look is what a tick of all releases of a cluster asks for together.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.say import Say
from delivery.adapters.clock.system import SystemClock
from delivery.adapters.metrics.prometheus import configured
from delivery.adapters.metrics.prometheus.adapter import Limits, PrometheusMetrics
from delivery.adapters.metrics.prometheus.server import Server
from delivery.adapters.metrics.prometheus.template import Template
from delivery.adapters.metrics.prometheus.templates import ENVOY
from delivery.model.ids import TargetId, target_id
from delivery.model.place import Place
from delivery.model.version import Backend, VersionRef
from delivery.ports.metrics import Subject
from delivery.sandbox.bootstrap import BUCKETS_MS
from tests.cluster.testbed.process import wait_until
from tests.prometheus import Prometheus
from tests.system.exporter import Exporter

RELEASES = (1, 100, 1_000)
PROXIES = 3
LOOKS = 5
TICK_SECONDS = 15
_BOUNDED = configured.template(configured.Options("envoy", bounds=(250, 500)))


def measure(say: Say) -> list[Figure]:
    """With Debian's Prometheus, which has to be there."""
    exporters = [Exporter() for _ in range(PROXIES)]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        text = "\n".join(_exposition([one for number in range(max(RELEASES)) for one in _versions(number)]))
        for exporter in exporters:
            exporter.says = text
        targets = [{"targets": [exporter.address for exporter in exporters]}]
        prometheus = Prometheus(
            Path(folder), [{"job_name": "envoy", "scrape_interval": "5s", "static_configs": targets}]
        )
        prometheus.start()
        try:
            say(f"Prometheus scrapes {text.count(chr(10)) * PROXIES} series")
            wait_until("the first scrape", lambda: prometheus.up("envoy") == PROXIES, 60)
            found = [figure for number in RELEASES for figure in _measured(prometheus, number, ENVOY, say)]
            return [*found, *_measured(prometheus, max(RELEASES), _BOUNDED, say)]
        finally:
            prometheus.stop()
            for exporter in exporters:
                exporter.close()


def _measured(prometheus: Prometheus, releases: int, template: Template, say: Say) -> Iterator[Figure]:
    server = Server(prometheus.url, seconds=30.0)
    metrics = PrometheusMetrics(server, template, SystemClock(), _nowhere, limits=Limits(seconds=60.0))
    subjects = [one for number in range(releases) for one in _versions(number)]
    metrics.sample(subjects)  # series are counted here once, and again every ten minutes
    counted = server.asked.queries
    seconds: list[float] = []
    ours: list[float] = []
    queries: list[float] = []
    series: list[float] = []
    for _ in range(LOOKS):
        before = (server.asked.queries, server.asked.series)
        begun, worked = time.perf_counter(), time.thread_time()
        found = metrics.sample(subjects)
        seconds.append(time.perf_counter() - begun)
        ours.append(time.thread_time() - worked)
        if None in found.values():
            raise RuntimeError("a version could not be read")
        queries.append(server.asked.queries - before[0])
        series.append(server.asked.series - before[1])
    server.close()
    say(f"{releases} releases: {queries[0]:.0f} queries, {series[0]:.0f} series a look")
    which = "" if template is ENVOY else ", two bounds"
    name = f"Prometheus, {releases} releases{which}"
    yield Figure(f"{name}: queries", "1/tick", tuple(queries), note=f"{counted} at the first look, which counts series")
    yield Figure(f"{name}: queries, a tick every 15 s", "1/s", tuple(one / TICK_SECONDS for one in queries))
    yield Figure(f"{name}: series in its answers", "1/s", tuple(one / TICK_SECONDS for one in series))
    yield Figure(f"{name}: a look", "ms", tuple(1000 * one for one in seconds))
    yield Figure(f"{name}: CPU of ours in a look", "ms", tuple(1000 * one for one in ours))


def _versions(number: int) -> tuple[Subject, Subject]:
    """Stable and candidate of a service."""
    service = f"service-{number}"
    target = target_id(service, "bench")
    first, second = (Backend(service, VersionRef(version, version)) for version in ("1.0.0", "1.0.1"))
    return Subject(target, first), Subject(target, second)


def _exposition(subjects: Sequence[Subject]) -> Iterator[str]:
    yield "envoy_server_uptime 100"
    yield "envoy_server_initialization_time_ms_sum 48.5"
    for subject in subjects:
        name = f'envoy_cluster_name="{subject.backend.name}"'
        yield f"envoy_cluster_upstream_rq_completed{{{name}}} 1000"
        yield f'envoy_cluster_upstream_rq_xx{{{name},envoy_response_code_class="2"}} 990'
        yield f'envoy_cluster_upstream_rq_xx{{{name},envoy_response_code_class="5"}} 10'
        for bound in (*BUCKETS_MS, "+Inf"):
            yield f'envoy_cluster_upstream_rq_time_bucket{{{name},le="{bound}"}} 900'


def _nowhere(target: TargetId) -> Place:
    raise RuntimeError(f"nobody needs a place of {target}")
