"""A batch whose calls take long: what it had read of services is read again once for all of them."""

import pytest
from fastapi.testclient import TestClient

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.slots import InlineSlots
from delivery.machine.evolve import fold
from tests.api.world import SERVICE, ManualClock, World, bearer

NAMES = ["billing", "checkout", "search"]


def test_services_are_read_in_one_call_also_after_a_slow_round(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    world = World(MemoryLedger(clock, fold), clock)
    with TestClient(world.app) as http:
        for name in NAMES:
            http.put(f"/v1/services/{name}", json={**SERVICE, "service": name}, headers=bearer("olga"))
            http.post("/v1/releases", json={"service": name, "version": "1.0"}, headers=bearer("olga"))
    asked: list[list[str]] = []
    services, begin = world.ledger.services, InlineSlots.begin

    def counted(names=None):
        asked.append(sorted(names or ()))
        return services(names)

    def slow(self, jobs):
        clock.pause(1.2)
        return begin(self, jobs)

    monkeypatch.setattr(world.ledger, "services", counted)
    monkeypatch.setattr(InlineSlots, "begin", slow)
    clock.pause(5)
    world.drain.run(0.1)
    assert len(asked) > 1
    assert {tuple(names) for names in asked} == {tuple(NAMES)}
