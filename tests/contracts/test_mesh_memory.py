"""The mesh in memory against the contract."""

import pytest

from delivery.testing.contracts.mesh import MeshContract, PauseContract
from delivery.testing.contracts.mesh_policy import RuleContract
from delivery.testing.contracts.mesh_traffic import TrafficContract
from delivery.testing.memory_world import MemoryWorld


@pytest.fixture
def world():
    return MemoryWorld()


class TestMesh(MeshContract):
    pass


class TestPause(PauseContract):
    pass


class TestTraffic(TrafficContract):
    pass


class TestRules(RuleContract):
    pass
