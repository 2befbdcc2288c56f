"""The mesh on a real API server, istiod and Envoy against the contract."""

from collections.abc import Iterator

import pytest

from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.testing.contracts.mesh import MeshContract
from delivery.testing.contracts.mesh_traffic import TrafficContract
from tests.cluster import istio_world
from tests.cluster.istio_world import IstioWorld
from tests.cluster.testbed.cluster import Cluster


@pytest.fixture(scope="module")
def istiods(cluster: Cluster) -> Istiods:
    return istio_world.istiods(cluster)


@pytest.fixture
def world(cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[IstioWorld]:
    world = IstioWorld(cluster, namespace, istiods)
    yield world
    world.close()


class TestMesh(MeshContract):
    pass


class TestTraffic(TrafficContract):
    pass
