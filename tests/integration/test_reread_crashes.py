"""A worker that reads a hint again is killed at every point: on real ledgers it becomes one release, never two."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from delivery.adapters.ledger.sql import upgrade
from delivery.engine.answer import Arrival
from delivery.model.ids import Principal
from delivery.model.notice import Hinted, Notice
from delivery.ports.history import Filter
from delivery.ports.rows import InboxState
from tests.integration.engine_fleet import Fleet
from tests.integration.fence_worker import RealTime
from tests.integration.reread_worker import POINTS

TRIGGER = {"source": "argocd", "event": "deployed", "where": {"application": "checkout"}}
HINT = Hinted("deployed", {"application": "checkout"}, Principal("alice"), "argocd")


@pytest.fixture
def url(each_database: str) -> str:
    return each_database


@pytest.fixture
def api(url: str) -> Iterator[Fleet]:
    """It admits, and reads nothing again."""
    upgrade(url)
    fleet = Fleet(url, RealTime(), triggers=[TRIGGER])
    fleet.serve("checkout")
    yield fleet
    fleet.close()


def life(url: str, version: str, *point: str) -> int:
    command = [sys.executable, "-W", "error", "-m", "tests.integration.reread_worker", url, version, *point]
    return subprocess.run(command, check=False, timeout=120).returncode


@pytest.mark.parametrize("point", POINTS)
def test_whoever_dies_while_reading_loses_nothing_and_does_nothing_twice(api: Fleet, url: str, point: str) -> None:
    (answer,) = api.inbox.accept([Arrival(Notice("argocd", "checkout 1", "d", HINT), b"{}")])
    assert answer.outcome == "accepted"
    assert life(url, "1.4.2", point) == -9
    time = RealTime()
    until = time.monotonic() + 60
    while not (made := api.ledger.page(Filter(), 10)) or api.ledger.inbox(InboxState.PENDING, 10):
        assert time.monotonic() < until, "the lease of whoever died is over after seconds"
        assert life(url, "1.4.3") == 0, "by now another version is there: what was admitted stays"
    version = "1.4.3" if point == "before accept" else "1.4.2"
    assert [stored.release.candidate.version for stored in made] == [version]
    (again,) = api.inbox.accept([Arrival(Notice("argocd", "checkout 1", "d", HINT), b"{}")])
    assert (again.outcome, again.release) == ("release", made[0].release.id)
