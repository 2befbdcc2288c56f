"""Disaster recovery in a cluster: the database is lost in the middle of a release, and users notice nothing.

Once from a backup that is older than the route, once from the service file alone: neither moves a request by itself.
"""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.cluster import wire
from tests.cluster.front import Front
from tests.cluster.shop import NAME
from tests.cluster.steady import SIGMAS, Stages, Steady, nothing_lost
from tests.cluster.test_e2e_trouble import Route, weight
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.whole import Wanted, Whole
from tests.upgrade.test_restore import COPY, said_by_the_runbook

pytestmark = pytest.mark.timeout(600)

CANARY = "[canary: {steps: [10%, 30%, 60%], bake: 4s, min_requests: 50}]"
LIVE = 30
LOST = "history_lost"


@pytest.fixture
def route(front: Front):
    route = Route(front)
    yield route
    route.close()


class World:
    """One shop, and the installations that come and go over it."""

    def __init__(self, cluster: Cluster, folder: Path, front: Front, load: Steady, route: Route) -> None:
        self.cluster, self.folder, self.front, self.load, self.route = cluster, folder, front, load, route
        self._made: list[Whole] = []

    def installed(self, name: str, database: Path) -> Whole:
        folder = self.folder / name
        folder.mkdir()
        wanted = Wanted(self.front.namespace, database=f"sqlite:///{database}")
        whole = Whole(self.cluster, folder, wanted)
        self._made.append(whole)
        whole.start()
        whole.apply(NAME, self.front.service_file(CANARY))
        return whole

    def dies(self, whole: Whole) -> None:
        for worker in whole.workers.values():
            os.kill(worker.pid, signal.SIGKILL)
        self.close(whole)

    def close(self, *which: Whole) -> None:
        for whole in which or tuple(self._made):
            whole.close()
            self._made.remove(whole)

    def stays(self, requests: int) -> None:
        """So many requests are answered, split as they were, and nobody has written the route's weights anew."""
        before, seen = wire.served(self.cluster, self.front.namespace), len(self.route.seen)
        self.load.wait(self.load.counts()["answered"] + requests)
        counted: Counter[str] = wire.served(self.cluster, self.front.namespace) - before
        total, share = counted.total(), LIVE / 100
        assert abs(counted["1.4.2"] - total * share) <= SIGMAS * (total * share * (1 - share)) ** 0.5, counted
        assert {weight(each) for each in self.route.seen[seen - 1 :]} == {LIVE}


@pytest.fixture
def world(cluster: Cluster, tmp_path: Path, front: Front, load: Steady, route: Route):
    made = World(cluster, tmp_path, front, load, route)
    try:
        yield made
    finally:
        made.close()


def is_held(whole: Whole, release: str) -> bool:
    return LOST in {hold["kind"] for hold in whole.release(release)["holds"]}


def waits_for_an_admin(world: World, whole: Whole, release: str) -> None:
    """Longer than a stage bakes; an operator's word is not enough."""
    whole.until("it is held", lambda: is_held(whole, release))
    world.stays(1200)
    with pytest.raises(AssertionError, match="403"):
        whole.say(release, "resume", "alice", holds=[LOST])
    assert is_held(whole, release)


def test_neither_an_older_backup_nor_the_service_file_alone_moves_a_live_split(world: World) -> None:
    first = world.installed("first", world.folder / "delivery.db")
    release = first.start_release("1.4.2")
    stages = Stages(first, release)
    stages.until_baking(10)
    said_by_the_runbook(COPY, world.folder)
    stages.until_baking(LIVE)
    world.dies(first)

    restored = world.installed("restored", world.folder / "delivery-backup.db")
    waits_for_an_admin(world, restored, release)
    world.dies(restored)

    empty = world.installed("empty", world.folder / "new.db")
    world.stays(400)
    release = empty.start_release("1.4.2")
    waits_for_an_admin(world, empty, release)
    empty.say(release, "resume", holds=[LOST])
    stages = Stages(empty, release)
    stages.until_baking(10)
    empty.say(release, "promote")
    assert stages.until_over() == "promoted", stages.now["text"]
    nothing_lost(world.load.stop())
    assert world.front.versions() == {"1.4.2"}
