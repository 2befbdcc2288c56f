"""A real Envoy that stops right after a write: what it has not proven begins no bake and counts no tick."""

from pathlib import Path
from typing import Any

import pytest

from delivery.adapters.ledger.sql import upgrade
from delivery.model.event import Phase, StagePassed, TrafficConfirmed
from delivery.ports.mesh import Live, Route, Stamp
from tests.contracts.envoy_world import EnvoyWorld
from tests.integration.engine_fleet import Fleet
from tests.integration.fence_worker import RealTime
from tests.integration.worker_parts import wait_for

NAME = "checkout"
TRIES = 8
"""Drains while the Envoy stands still, each with a look for the proof."""


class StopsAfter:
    """The real mesh; its Envoy stands still as soon as the first write has landed."""

    def __init__(self, world: EnvoyWorld) -> None:
        self._world = world
        self.stopped = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.mesh, name)

    def write(self, route: Route, stamp: Stamp, expect: str) -> Live:
        written = self._world.mesh.write(route, stamp, expect)
        if not self.stopped:
            self.stopped = True
            self._world.freeze()
        return written


@pytest.fixture
def url(each_database: str) -> str:
    return each_database


def test_what_a_stopped_envoy_has_not_proven_begins_no_bake(url: str, tmp_path: Path) -> None:
    upgrade(url)
    world = EnvoyWorld(tmp_path)
    mesh: Any = StopsAfter(world)
    fleet = Fleet(url, RealTime(), mesh, strategies=[{"canary": {"steps": ["20%", "50%"], "bake": "2s"}}])
    try:
        fleet.serve(NAME)
        fleet.release(NAME)
        wait_for(lambda: fleet.drain.run(1.0) and mesh.stopped, "20 % are written")
        for _ in range(TRIES):
            fleet.drain.run(1.0)
        release = fleet.running(NAME)
        assert release.phase is Phase.SHIFTING
        assert release.confirmed < release.dseq
        assert fleet.ledger.ticks(release.id) == ()
        assert not [one for one in fleet.events(release.id) if isinstance(one, TrafficConfirmed | StagePassed)]
        world.thaw()

        def bakes() -> bool:
            fleet.drain.run(1.0)
            return fleet.running(NAME).phase is Phase.BAKING

        wait_for(bakes, "it is proven, and the bake begins")
    finally:
        world.thaw()
        fleet.close()
        world.close()
