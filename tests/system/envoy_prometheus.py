"""The metrics contract's world: a real Envoy of the local mesh, scraped by a real Prometheus."""

import http.client
from collections.abc import Callable
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from delivery.adapters.clock.system import SystemClock
from delivery.adapters.http_socket import connect
from delivery.adapters.metrics.prometheus.adapter import PrometheusMetrics
from delivery.adapters.metrics.prometheus.server import Server
from delivery.adapters.metrics.prometheus.templates import ENVOY
from delivery.model.ids import TargetId
from delivery.model.place import Place
from delivery.model.series import Sample
from delivery.model.version import Lane
from delivery.ports.errors import Unavailable
from delivery.ports.metrics import Subject
from tests.cluster.testbed.process import wait_until
from tests.contracts.test_metrics_envoy import EnvoyWorld, subject
from tests.prometheus import Prometheus
from tests.serving import serving

INTERVAL = "200ms"
LIMIT = 20.0


class Relay:
    """Envoy's admin interface is a socket in its folder; Prometheus scrapes ports."""

    def __init__(self, address: Callable[[], str]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                connection = connect(address(), 2.0)
                try:
                    connection.request("GET", "/stats/prometheus")
                    body = connection.getresponse().read()
                except (OSError, http.client.HTTPException):
                    self.send_error(502)
                    return
                finally:
                    connection.close()
                self.send_response(200)
                self.send_header("content-type", "text/plain; version=0.0.4")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self._stack = ExitStack()
        self.address = f"127.0.0.1:{self._stack.enter_context(serving(Handler))}"

    def close(self) -> None:
        self._stack.close()


class PrometheusWorld:
    """`metrics` sees what Prometheus saw; the mesh itself is `mesh`."""

    def __init__(self, directory: Path, port: int) -> None:
        self.mesh = EnvoyWorld(directory, port)
        self.relay = Relay(lambda: self.mesh.envoy.admin.address)
        job = {
            "job_name": "envoy",
            "scrape_interval": INTERVAL,
            "scrape_timeout": INTERVAL,
            "static_configs": [{"targets": [self.relay.address]}],
        }
        self.prometheus = Prometheus(directory, [job])
        self.prometheus.start()
        self.server = Server(self.prometheus.url)
        self.metrics = PrometheusMetrics(self.server, ENVOY, SystemClock(), unplaced)
        wait_until("the first scrape", self.seen, LIMIT)

    def seen(self) -> bool:
        one = subject("1.4.1")
        try:
            return isinstance(self.metrics.sample([one])[one], Sample)
        except Unavailable:
            return False

    def subject(self, version: str, lane: Lane = Lane.PLAIN) -> Subject:
        return subject(version, lane)

    def send(self, subject: Subject, requests: int, errors: int = 0, seconds: float = 0.0) -> None:
        self.mesh.send(subject, requests, errors, seconds)

    def epochs(self) -> set[str]:
        one = subject("1.4.1")
        sample = self.metrics.sample([one])[one]
        return {series.epoch for series in sample.series.values()} if isinstance(sample, Sample) else set()

    def restart(self) -> None:
        """Returns when the new life was scraped, after one that was old enough to be told from it."""
        wait_until("an older Envoy", lambda: self.prometheus.total("envoy_server_uptime") >= 2, LIMIT)
        before = self.epochs()
        self.mesh.restart()
        wait_until("another life", lambda: bool(self.epochs()) and not self.epochs() & before, LIMIT)

    def cut(self) -> None:
        self.prometheus.stop()

    def close(self) -> None:
        self.server.close()
        self.prometheus.stop()
        self.relay.close()
        self.mesh.close()


def unplaced(target: TargetId) -> Place:
    raise AssertionError(f"this template needs no place of {target}")
