"""Debian's Prometheus over the local mesh counts what the mesh counts, and what was lost while it was away."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.model.traffic import Traffic
from delivery.model.version import Lane
from delivery.testing.contracts.mesh_values import make_case
from tests.cluster.testbed.process import wait_until
from tests.contracts.envoy_world import EnvoyWorld
from tests.prometheus import Prometheus
from tests.system.scraping import JOB, scraping

REQUESTS = 100


@pytest.fixture
def world(tmp_path: Path) -> Iterator[EnvoyWorld]:
    world = EnvoyWorld(tmp_path)
    yield world
    world.close()


@pytest.fixture
def prometheus(tmp_path: Path, world: EnvoyWorld) -> Iterator[Prometheus]:
    with scraping(tmp_path, world.envoys[0].admin.address) as prometheus:
        yield prometheus


def test_it_counts_what_went_through_the_mesh_also_while_it_was_away(world: EnvoyWorld, prometheus: Prometheus) -> None:
    case = make_case(world)
    case.shift(Traffic())
    wait_until("a scrape", lambda: prometheus.up(JOB) == 1, 30)

    def counted() -> float:
        name = case.stable.lane(Lane.PLAIN)
        return prometheus.total(f'envoy_cluster_upstream_rq{{envoy_cluster_name="{name}",envoy_response_code="200"}}')

    assert {reply.status for reply in case.send(REQUESTS)} == {200}
    wait_until("its count", lambda: counted() == REQUESTS, 20)
    prometheus.stop()
    case.send(REQUESTS)
    prometheus.start()
    wait_until("its count after it was away", lambda: counted() == 2 * REQUESTS, 20)
