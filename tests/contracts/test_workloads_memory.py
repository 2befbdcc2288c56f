"""Workloads in memory against the contract."""

import pytest

from delivery.adapters.workloads.memory import FIRST_PORT, MemoryWorkloads
from delivery.model.service import Workload
from delivery.ports.errors import Unavailable
from delivery.ports.workloads import Running
from delivery.testing.contracts.workloads import FIRST, TARGET, WorkloadsContract


class World:
    def __init__(self) -> None:
        self.workloads = self.other = MemoryWorkloads()
        self.workload, self.broken = Workload("process", "checkout"), Workload("process", "broken")
        self.workloads.breaks("broken", "no such database")

    def crash(self, version):
        self.workloads.crash(TARGET, version.identity)

    def answers(self, endpoint):
        return endpoint.port >= FIRST_PORT and endpoint in self.workloads.endpoints()

    def until(self, condition):
        assert any(condition() for _ in range(100))


@pytest.fixture
def world():
    return World()


class TestWorkloads(WorkloadsContract):
    pass


def test_readiness_can_be_scripted(world):
    world.workloads.script(TARGET, FIRST.identity, Running(False), Running(False, failing="oops"))
    found = [world.workloads.ensure(TARGET, world.workload, FIRST) for _ in range(3)]
    assert [(running.ready, running.failing) for running in found] == [(False, None), (False, "oops"), (False, "oops")]
    world.workloads.script(TARGET, FIRST.identity)
    assert world.workloads.ensure(TARGET, world.workload, FIRST).ready


def test_it_can_be_out_of_reach(world):
    world.workloads.down = True
    for call in (world.workloads.ensure, world.workloads.look, world.workloads.retire):
        with pytest.raises(Unavailable):
            call(TARGET, world.workload, FIRST)
