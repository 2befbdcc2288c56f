"""The mesh on a real Envoy against the contract."""

import pytest

from delivery.testing.contracts.mesh import MeshContract
from delivery.testing.contracts.mesh_policy import LimitContract, RuleContract
from delivery.testing.contracts.mesh_traffic import TrafficContract
from tests.contracts.envoy_world import EnvoyWorld


@pytest.fixture
def world(tmp_path):
    world = EnvoyWorld(tmp_path)
    yield world
    world.close()


class TestMesh(MeshContract):
    pass


class TestTraffic(TrafficContract):
    pass


class TestRules(RuleContract):
    pass


class TestLimits(LimitContract):
    pass
