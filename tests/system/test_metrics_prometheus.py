"""The Metrics contract over a real Prometheus that scrapes a real Envoy, and what only Prometheus can do to us."""

from collections.abc import Iterator

import pytest

from delivery.testing.contracts.metrics import MetricsContract
from tests.contracts.test_metrics_envoy import Obedient
from tests.serving import serving
from tests.system.envoy_prometheus import PrometheusWorld


@pytest.fixture(scope="module")
def service() -> Iterator[int]:
    with serving(Obedient) as port:
        yield port


@pytest.fixture
def world(tmp_path, service) -> Iterator[PrometheusWorld]:
    world = PrometheusWorld(tmp_path, service)
    yield world
    world.close()


class TestPrometheusMetrics(MetricsContract):
    pass
