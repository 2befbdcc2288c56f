"""A call that does not come back in time says nothing against the target, and nothing about the traffic."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from fastapi.testclient import TestClient

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.slots import InlineSlots
from delivery.machine.evolve import fold
from delivery.ports.errors import Unavailable
from tests.api.world import SERVICE, ManualClock, World, bearer


class Stuck(InlineSlots):
    """Nothing comes back while it is stuck."""

    stuck = False

    def begin(self, jobs: Sequence[tuple[str, bool, Callable[[], Any]]]) -> Any:
        if self.stuck:
            return SimpleNamespace(calls=[Out() for _ in jobs], wait=lambda seconds: None)
        return super().begin(jobs)


class Out:
    over = False

    def result(self) -> Any:
        return Unavailable("local did not answer in time")


def test_slots_that_time_out_quarantine_nobody(monkeypatch) -> None:
    slots = Stuck()
    monkeypatch.setattr("tests.api.world.InlineSlots", lambda: slots)
    clock = ManualClock()
    world = World(MemoryLedger(clock, fold), clock)
    with TestClient(world.app) as http:
        http.put("/v1/services/checkout", json=SERVICE, headers=bearer("olga"))
        made = http.post("/v1/releases", json={"service": "checkout", "version": "1.0"}, headers=bearer("olga"))
    slots.stuck = True
    world.go(60)
    (row,) = world.ledger.rows()
    assert (row.quarantined, row.failures) == (None, 0)
    slots.stuck = False
    world.go(10)
    assert world.ledger.release(made.json()["release"]["id"]).release.phase == "promoted"
