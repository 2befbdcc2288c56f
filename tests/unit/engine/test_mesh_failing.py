"""A mesh that half answers: its outage is told once, however long it lasts, and so is its end."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.mesh.memory import Mood
from delivery.machine.evolve import fold
from delivery.model.ids import ReleaseId
from delivery.ports.errors import Unavailable
from tests.api.world import SERVICE, ManualClock, World, bearer


class Going:
    """A release at its first stage."""

    def __init__(self, http: TestClient, world: World) -> None:
        self._http = http
        self._world = world
        self.proxy = world.mesh.proxies["proxy-0"]
        http.put("/v1/services/checkout", json=SERVICE, headers=bearer("olga"))
        self._start("1.0")
        world.go(5)
        self.release = ReleaseId(self._start("1.1")["release"]["id"])
        world.go(5)

    def abort(self) -> None:
        answer = self._http.post(f"/v1/releases/{self.release}/abort", json={}, headers=bearer("olga"))
        assert answer.status_code == 202, answer.text

    def told(self, seconds: float) -> tuple[int, int]:
        """How often, once so many seconds are over, an outage and its end have been told."""
        self._world.go(seconds)
        stored = self._world.ledger.events(self.release, after=0, limit=1000)
        found = Counter(one.type for one in stored)
        return found["MeshFailing"], found["MeshRecovered"]

    def back(self) -> None:
        """The proxy takes what it has missed."""
        self.proxy.mood = Mood.TAKING
        self._world.mesh.deliver("proxy-0")

    def _start(self, version: str) -> Any:
        asked = {"service": "checkout", "version": version}
        return self._http.post("/v1/releases", json=asked, headers=bearer("olga")).json()


@pytest.fixture
def world() -> World:
    clock = ManualClock()
    return World(MemoryLedger(clock, fold), clock)


@pytest.fixture
def going(world: World) -> Iterator[Going]:
    with TestClient(world.app) as http:
        yield Going(http, world)


@pytest.mark.parametrize("mood", [Mood.SILENT, Mood.REFUSING])
def test_a_route_that_is_stored_ends_no_outage_of_the_proxies(going: Going, mood: Mood) -> None:
    going.proxy.mood = mood
    going.abort()
    assert going.told(60) == (1, 0)
    going.back()
    assert going.told(20) == (1, 1)


def test_proxies_that_answer_end_no_outage_of_what_stores_routes(going: Going, world: World, monkeypatch) -> None:
    def away(*_: object) -> None:
        raise Unavailable("the control plane does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(world.mesh, "write", away)
        going.abort()
        assert going.told(60) == (1, 0)
    assert going.told(20) == (1, 1)
