"""The Metrics contract over a real Prometheus that scrapes a real Envoy, and what only Prometheus can do to us."""

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from delivery.testing.contracts.metrics import MetricsContract
from tests.contracts.test_metrics_envoy import Obedient
from tests.system.envoy_prometheus import PrometheusWorld


@pytest.fixture(scope="module")
def service() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Obedient)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def world(tmp_path, service) -> Iterator[PrometheusWorld]:
    world = PrometheusWorld(tmp_path, service)
    yield world
    world.close()


class TestPrometheusMetrics(MetricsContract):
    pass
