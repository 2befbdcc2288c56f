"""What a newer version of this service wrote is neither guessed at nor given up: others of its kind are asked."""

import pytest
from fastapi.testclient import TestClient

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.engine.answer import Arrival
from delivery.engine.outbox import FOR_OTHERS
from delivery.machine.evolve import fold
from delivery.model import codec, since
from delivery.model.event import Created
from delivery.model.ids import Principal, target_id
from delivery.model.notice import Notice, ReleaseRequested
from delivery.model.since import READS
from delivery.model.version import VersionRef
from delivery.ports.errors import TooNew
from delivery.ports.rows import OutboxState
from tests.api.world import SERVICE, ManualClock, World, bearer
from tests.simulation.world import World as Simulated
from tests.unit.engine.test_outbox import Chat, asked, outbox_of

TARGET = target_id("checkout", "local")


@pytest.fixture
def world() -> World:
    clock = ManualClock()
    world = World(MemoryLedger(clock, fold), clock)
    with TestClient(world.app) as http:
        for name in ("checkout", "cart"):
            http.put(f"/v1/services/{name}", json={**SERVICE, "service": name}, headers=bearer("olga"))
    return world


def asks(service: str, key: str) -> Arrival:
    says = ReleaseRequested(service, VersionRef.of("1.0"), Principal("alice"))
    return Arrival(Notice("ci", key, f"digest-{key}", says, time=None), b"{}")


def test_an_event_for_such_a_target_is_to_be_sent_again_and_the_others_of_its_batch_are_taken(world: World) -> None:
    world.ledger.require("checkout", READS + 1)
    with pytest.raises(TooNew, match=f"{TARGET} was written by a newer version"):
        world.inbox.accept([asks("checkout", "one")])
    assert world.ledger.deliveries([("ci", "one")]) == {}
    with TestClient(world.app) as http:
        answers = [
            http.post("/v1/releases", json={"service": name, "version": "1.0"}, headers=bearer("olga"))
            for name in ("checkout", "cart")
        ]
        looked = http.get("/v1/services/checkout", headers=bearer("olga"))
    assert [answer.status_code for answer in (*answers, looked)] == [503, 201, 503], [one.text for one in answers]
    assert "newer version" in answers[0].json()["detail"]
    assert answers[0].headers["Retry-After"] == "1"


def test_a_message_about_an_event_that_is_unknown_here_waits_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Simulated(0, ("queueing",))
    asked(world, "good-1")
    monkeypatch.delitem(codec.EVENT_TYPES, Created.__name__)
    chat = Chat(lasts=-1)
    outbox_of(world, chat).run()
    waiting = world.ledger.outbox(OutboxState.WAITING, 10)
    assert waiting
    assert all(row.due_at > world.clock.now() for row in waiting)
    assert all(row.due_at <= world.clock.now() + FOR_OTHERS for row in waiting)
    assert not world.ledger.outbox(OutboxState.DEAD, 10)
    monkeypatch.undo()
    world.clock.step(FOR_OTHERS)
    outbox_of(world, chat).run()
    assert chat.told


def test_what_is_decided_makes_the_row_require_what_its_events_need(world: World, monkeypatch) -> None:
    monkeypatch.setattr(since, "FORMATS", since.Formats({"Created": READS + 1}))
    world.inbox.accept([asks("checkout", "one")])
    assert world.ledger.unreadable([TARGET, target_id("cart", "local")]) == {TARGET}


@pytest.mark.parametrize(
    "text",
    [
        '{"schema":2,"type":"Closed","data":{}}',
        '{"schema":1,"type":"Teleported","data":{}}',
        '{"schema":1,"type":"MeshFailing","data":{"at":1,"detail":"x","where":"y"}}',
        '{"schema":1,"type":"HoldLifted","data":{"at":1,"kind":"boredom"}}',
    ],
)
def test_what_is_unknown_is_told_from_what_is_broken(text: str) -> None:
    with pytest.raises(codec.Newer):
        codec.unseal(text.encode())
    with pytest.raises(codec.CodecError) as broken:
        codec.unseal(b'{"schema":1,"type":"MeshFailing","data":{"at":"x","detail":"x"}}')
    assert not isinstance(broken.value, codec.Newer)
