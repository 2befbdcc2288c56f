"""A delivery that nobody can admit is kept for a person, and spoils no other."""

import pytest
from fastapi.testclient import TestClient

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.engine.answer import Arrival
from delivery.machine.admission import admit
from delivery.machine.evolve import fold
from delivery.model.ids import Principal, ReleaseId
from delivery.model.notice import Again, Notice, ReleaseRequested
from delivery.model.version import VersionRef
from delivery.ports.rows import InboxState
from tests.api.world import SERVICE, ManualClock, World, bearer


@pytest.fixture
def world() -> World:
    clock = ManualClock()
    return World(MemoryLedger(clock, fold), clock)


def asks(version: str, key: str, service: str = "checkout") -> Arrival:
    says = ReleaseRequested(service, VersionRef.of(version), Principal("alice"))
    return Arrival(Notice("ci", key, f"digest-{key}", says, time=None), b"{}")


@pytest.fixture
def served(world: World) -> World:
    with TestClient(world.app) as http:
        for name in ("checkout", "cart"):
            http.put(f"/v1/services/{name}", json={**SERVICE, "service": name}, headers=bearer("olga"))
    return world


def test_a_fault_of_ours_buries_one_delivery_and_admits_the_others(served: World, monkeypatch) -> None:
    def faulty(world, notice, *rest):
        if notice.key == "poison":
            raise ZeroDivisionError("a fault of ours")
        return admit(world, notice, *rest)

    monkeypatch.setattr("delivery.engine.reception.admit", faulty)
    answers = served.inbox.accept([asks("1.0", "good-1"), asks("1.1", "poison"), asks("1.0", "good-2", "cart")])
    assert [answer.outcome for answer in answers] == ["release", "accepted", "release"]

    (dead,) = served.ledger.inbox(InboxState.DEAD, 10)
    assert (dead.key, dead.error) == ("poison", "ZeroDivisionError('a fault of ours')")
    assert [alert.kind for alert in served.ledger.alerts(10)] == ["inbox_dead"]
    assert served.inbox.accept([asks("1.1", "poison")])[0].repeated
    assert {row.key for row in served.ledger.inbox(InboxState.DONE, 10)} == {"good-1", "good-2"}


def test_any_release_of_the_target_can_be_named_however_old(served: World) -> None:
    made: list[ReleaseId] = []
    for number in range(4):
        made += served.inbox.accept([asks(f"1.{number}", f"key-{number}")])[0].releases
        served.load("checkout@local", 500)
        served.go(400, 5.0)
    says = Again(made[0], back=False, actor=Principal("olga"))
    (answer,) = served.inbox.accept([Arrival(Notice("api", "again", "d", says), b"")])
    assert answer.refusal is not None
    assert "promoted: there is nothing to retry" in answer.text
