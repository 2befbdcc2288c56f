"""Callers inside the mesh: their sidecars follow the route, and what they acknowledged is the proof."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.model.event import Level
from delivery.model.place import host
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Traffic
from delivery.testing.contracts.mesh_traffic import assert_share
from delivery.testing.contracts.mesh_values import RELEASE, Case, make_case
from tests.cluster import istio_world, sidecar
from tests.cluster.istio_world import IstioWorld
from tests.cluster.sidecar import Sidecar
from tests.cluster.testbed.cluster import Cluster


@pytest.fixture
def world(cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[IstioWorld]:
    yield from istio_world.running(cluster, namespace, istiods)


@pytest.fixture
def client(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Sidecar]:
    with sidecar.running(cluster, namespace, tmp_path) as started:
        yield started


@pytest.fixture
def case(world: IstioWorld) -> Case:
    """A service that callers in the mesh reach by its own name, and users through the gateway."""
    case = make_case(world)
    world.open_inside(case.target)
    return case


def test_sidecars_follow_the_weights_and_prove_them(
    world: IstioWorld, istiods: Istiods, client: Sidecar, case: Case
) -> None:
    name = host(world.place(case.target), "checkout")
    world.until(lambda: client.name in {proxy.name for proxy in istiods.account().proxies})
    for traffic, answers in ((ALL_STABLE, {"1.4.1"}), (ALL_CANDIDATE, {"1.4.2"}), (ALL_STABLE, {"1.4.1"})):
        case.shift(traffic)
        assert set(client.send(name, 20)) == answers
    case.shift(Traffic(weight=20))
    found = world.mesh.confirm(case.target, RELEASE, case.seq)
    assert (found.proven, found.level, found.proxies) == (True, Level.PROBED, 2)
    assert_share(0.2, lambda size: client.send(name, size)["1.4.2"])
    os.kill(client.process.pid, signal.SIGSTOP)
    try:
        case.write(ALL_STABLE)
        world.until(lambda: world.mesh.confirm(case.target, RELEASE, case.seq).missing == (client.name,))
    finally:
        os.kill(client.process.pid, signal.SIGCONT)
    world.until(case.proven)
    assert set(client.send(name, 20)) == {"1.4.1"}
