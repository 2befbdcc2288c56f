"""Workloads in memory against the contract."""

import pytest

from delivery.adapters.workloads.memory import FIRST_PORT, MemoryWorkloads
from delivery.model.service import Workload
from delivery.ports.errors import Unavailable
from delivery.ports.workloads import Need, Running
from delivery.testing.contracts.workloads import FIRST, TARGET, HomeContract


class World:
    def __init__(self) -> None:
        self.workloads = self.other = MemoryWorkloads()
        self.workload, self.broken = Workload("process", "checkout"), Workload("process", "broken")
        self.workloads.breaks("broken", "no such database")

    def own(self, version):
        self.workloads.own(TARGET, version)

    def serve(self, version):
        self.own(version)
        return self.workloads.look(TARGET, self.workload, version, home=True).endpoints[0]

    def crash(self, version):
        self.workloads.crash(TARGET, version.identity)

    def answers(self, endpoint):
        return endpoint.port >= FIRST_PORT and endpoint in self.workloads.endpoints()

    def until(self, condition):
        assert any(condition() for _ in range(100))


@pytest.fixture
def world():
    return World()


class TestWorkloads(HomeContract):
    pass


def test_readiness_can_be_scripted(world):
    world.workloads.script(TARGET, FIRST.identity, Running(False), Running(False, failing="oops"))
    found = [world.workloads.ensure(TARGET, world.workload, FIRST) for _ in range(3)]
    assert [(running.ready, running.failing) for running in found] == [(False, None), (False, "oops"), (False, "oops")]
    world.workloads.script(TARGET, FIRST.identity)
    assert world.workloads.ensure(TARGET, world.workload, FIRST).ready


def test_it_can_be_out_of_reach(world):
    world.workloads.down = True
    port = world.workloads
    for call in (port.ensure, port.look, port.retire, port.promote):
        with pytest.raises(Unavailable):
            call(TARGET, world.workload, FIRST)
    for call in (port.current, port.rest):
        with pytest.raises(Unavailable):
            call(TARGET, world.workload)


def test_without_owners_nothing_is_at_home(world):
    assert world.workloads.current(TARGET, world.workload) is None
    found = world.workloads.promote(TARGET, world.workload, FIRST)
    assert (found.ready, found.looked_for) == (False, "process checkout")


def test_it_tells_what_was_asked_of_it(world):
    world.workloads.own(TARGET, FIRST)
    world.workloads.ensure(TARGET, world.workload, FIRST, Need(home=True))
    world.workloads.ensure(TARGET, world.workload, FIRST, Need(share=25))
    assert world.workloads.shares == {(TARGET, FIRST.identity): 25}
    assert world.workloads.pinned == {TARGET}
    world.workloads.rest(TARGET, world.workload)
    assert world.workloads.pinned == set()
