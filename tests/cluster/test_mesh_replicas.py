"""Two replicas of istiod, each with proxies of its own: all are asked, and one that is silent is named."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.adapters.mesh.istio.proxies import Fixed
from delivery.model.event import Level
from delivery.model.place import host
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Traffic
from delivery.ports.errors import Unavailable
from delivery.sandbox.ports import HOST
from delivery.testing.contracts.mesh_values import RELEASE, Case, make_case
from tests.cluster import istio_world, sidecar
from tests.cluster.istio_world import IstioWorld
from tests.cluster.sidecar import Sidecar
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.istiod import Istiod


@pytest.fixture
def second(cluster: Cluster, tmp_path: Path) -> Iterator[Istiod]:
    with cluster.replica(tmp_path) as istiod:
        yield istiod


@pytest.fixture
def both(cluster: Cluster, second: Istiod) -> Istiods:
    return Istiods(Fixed(tuple(f"{HOST}:{one.debug}" for one in (cluster.istiod, second))))


@pytest.fixture
def world(cluster: Cluster, namespace: str, both: Istiods) -> Iterator[IstioWorld]:
    yield from istio_world.running(cluster, namespace, both)


@pytest.fixture
def client(cluster: Cluster, namespace: str, tmp_path: Path, second: Istiod) -> Iterator[Sidecar]:
    """A caller whose sidecar is served by the second replica; the gateway is the first one's."""
    folder = tmp_path / "client"
    folder.mkdir()
    with sidecar.running(cluster, namespace, folder, second.xds) as started:
        yield started


@pytest.fixture
def case(world: IstioWorld) -> Case:
    case = make_case(world)
    world.open_inside(case.target)
    return case


def pid(istiod: Istiod) -> int:
    assert istiod.process is not None
    return istiod.process.pid


def test_every_replica_is_asked_for_its_own_proxies(
    cluster: Cluster, world: IstioWorld, both: Istiods, client: Sidecar, case: Case
) -> None:
    name = host(world.place(case.target), "checkout")
    world.until(lambda: {client.name, "gw-1.istio-system"} <= {proxy.name for proxy in both.account().proxies})
    alone = Istiods(Fixed((f"{HOST}:{cluster.istiod.debug}",)))
    assert client.name not in {proxy.name for proxy in alone.account().proxies}
    world.mesh = world.connect(probing=False)  # the gateway too by what it acknowledged
    for traffic, answers in ((ALL_STABLE, {"1.4.1"}), (ALL_CANDIDATE, {"1.4.2"}), (ALL_STABLE, {"1.4.1"})):
        case.shift(traffic)
        assert set(client.send(name, 20)) == answers
        assert case.versions() == answers
    found = world.mesh.confirm(case.target, RELEASE, case.seq)
    assert (found.proven, found.level, found.proxies) == (True, Level.ACKED, 2)


def test_a_replica_that_stands_still_is_named_until_it_goes_on(
    world: IstioWorld, client: Sidecar, case: Case, second: Istiod
) -> None:
    """Its sidecar still runs the old weights, and nobody believes otherwise."""
    name = host(world.place(case.target), "checkout")
    case.shift(ALL_STABLE)
    os.kill(pid(second), signal.SIGSTOP)
    try:
        case.write(Traffic(weight=100))
        silent = (f"istiod at {HOST}:{second.debug}",)
        world.until(lambda: world.mesh.confirm(case.target, RELEASE, case.seq).missing == silent)
        assert set(client.send(name, 20)) == {"1.4.1"}
        third = world.run("checkout", "1.4.3")
        with pytest.raises(Unavailable, match="what the proxies know that it serves cannot be told"):
            world.until(lambda: world.mesh.publish(case.target, third, world.endpoints(third)))
    finally:
        os.kill(pid(second), signal.SIGCONT)
    world.until(case.proven)
    assert set(client.send(name, 20)) == {"1.4.2"}


def test_a_replica_that_is_gone_keeps_its_proxies_unproven_until_they_are_served_again(
    cluster: Cluster, world: IstioWorld, case: Case, second: Istiod
) -> None:
    """As configured by addresses; found by its pods, one that is not ready is asked no more."""
    case.shift(ALL_STABLE)
    assert second.process is not None
    second.process.kill()
    case.write(Traffic(weight=20))
    silent = (f"istiod at {HOST}:{second.debug}",)
    world.until(lambda: world.mesh.confirm(case.target, RELEASE, case.seq).missing == silent)
    left = world.connect(istiods=Istiods(Fixed((f"{HOST}:{cluster.istiod.debug}",))))
    world.until(lambda: left.confirm(case.target, RELEASE, case.seq).proven)
