"""Events out, end to end: releases over the API, the outbox, a receiver on a real socket that behaves badly."""

from contextlib import ExitStack
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from delivery.adapters.events.webhook import Webhook
from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.telemetry.memory import MemoryTelemetry
from delivery.engine.outbox import Outbox, Receivers
from delivery.machine.evolve import fold
from delivery.model.ids import HOUR, SECOND
from delivery.model.outward import Subscriber, Topic
from delivery.ports.rows import OutboxState
from delivery.sources import signing
from tests.api.world import BASE, SECRET, SERVICE, ManualClock, World, bearer
from tests.receiver import Came, Reply, receiver

CANARY = {"steps": ["5%", "50%"], "bake": "10s", "gates": [], "min_requests": 0}
GUARDED = {**SERVICE, "strategies": [{"canary": {**CANARY, "approval": {"before": "50%"}}}]}
AUDIT = Subscriber("audit")


class Telling:
    """`subscribers` by what they are concerned with; each has a receiver."""

    def __init__(self, *subscribers: Subscriber) -> None:
        clock = ManualClock()
        self.stack = ExitStack()
        self.world = World(MemoryLedger(clock, fold), clock, subscribers=subscribers)
        self.receivers = {one.name: self.stack.enter_context(receiver()) for one in subscribers}
        adapters = {name: Webhook(BASE, one.url, [SECRET], seconds=0.3) for name, one in self.receivers.items()}
        ledger, book = self.world.ledger, self.world.services.book
        self.outbox = Outbox(ledger, ledger, Receivers({}, adapters), book, clock, MemoryTelemetry(), "outbox")
        self.http = self.stack.enter_context(TestClient(self.world.app))
        answer = self.http.put("/v1/services/checkout", json=GUARDED, headers=bearer("olga"))
        assert answer.status_code == 201, answer.text

    def __enter__(self) -> "Telling":
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def release(self, version: str) -> str:
        body = {"service": "checkout", "version": version}
        return self.http.post("/v1/releases", json=body, headers=bearer("olga")).json()["release"]["id"]

    def say(self, release: str, action: str) -> None:
        answer = self.http.post(f"/v1/releases/{release}/{action}", json={}, headers=bearer("adam"))
        assert answer.status_code in (200, 202), answer.text

    def go(self, seconds: int) -> None:
        for _ in range(seconds):
            self.world.go(1)
            self.outbox.run()

    def played(self) -> tuple[str, str]:
        """A first version that is promoted, and a second that goes back at its approval."""
        first = self.release("1.0")
        self.go(10)
        second = self.release("1.1")
        self.go(30)
        self.say(second, "reject")
        self.go(10)
        return first, second

    def told(self, name: str = "audit") -> list[tuple[str, str]]:
        return [(one.json["data"]["id"], one.json["type"]) for one in self.receivers[name].came]

    def states(self, state: OutboxState) -> list[str]:
        return [row.channel for row in self.world.ledger.outbox(state, 100)]


def wanted(first: str, second: str) -> list[tuple[str, str]]:
    return [
        (first, "release.started"),
        (first, "release.promoted"),
        (second, "release.started"),
        (second, "release.stage_reached"),
        (second, "release.needs_person"),
        (second, "release.rolled_back"),
    ]


def test_a_release_is_told_in_order_signed_and_in_words() -> None:
    with Telling(AUDIT) as it:
        assert wanted(*it.played()) == it.told()
        came = it.receivers["audit"].came[-1]
        data = came.json["data"]
        assert (data["service"], data["cluster"], data["owners"]) == ("checkout", "local", ["team-payments"])
        assert (data["from"]["version"], data["to"]["version"], data["state"]) == ("1.0", "1.1", "rolled_back")
        assert data["cause"]["type"] == "rejected"
        assert "adam" in data["text"]
        assert data["links"]["html"].startswith(f"{BASE}/releases/")
        assert data["links"]["self"] == f"{BASE}/v1/releases/{data['id']}"
        now = int(came.headers["webhook-timestamp"]) * SECOND
        assert signing.verify(came.headers, came.body, [SECRET], now) == came.headers["webhook-id"]  # type: ignore[arg-type]


def test_what_fails_is_told_again_under_its_own_id_and_in_order() -> None:
    with Telling(AUDIT) as it:
        audit = it.receivers["audit"]
        audit.replies += [Reply(500), Reply(503), Reply(429, {"retry-after": "3"}), Reply(hangs=True)] * 2
        first, second = it.played()
        it.go(300)
        assert audit.replies == type(audit.replies)()
        by_id: dict[str, list[Came]] = {}
        for one in audit.came:
            by_id.setdefault(one.headers["webhook-id"], []).append(one)
        assert all(len({one.body for one in copies}) == 1 for copies in by_id.values()), "the same again, byte for byte"
        taken = [(one.json["data"]["id"], one.json["type"]) for one in (copies[-1] for copies in by_id.values())]
        assert [one for one in taken if one[0] == first] == [one for one in wanted(first, second) if one[0] == first]
        assert [one for one in taken if one[0] == second] == [one for one in wanted(first, second) if one[0] == second]
        assert it.states(OutboxState.WAITING) == it.states(OutboxState.DEAD) == []


@pytest.mark.parametrize("reply", [Reply(400), Reply(410), Reply(301, {"location": "http://169.254.169.254/"})])
def test_what_is_refused_for_good_ends_dead_with_an_alert_and_blocks_nothing(reply: Reply) -> None:
    with Telling(AUDIT) as it:
        it.receivers["audit"].replies.append(reply)
        assert wanted(*it.played()) == it.told()
        (dead,) = it.world.ledger.outbox(OutboxState.DEAD, 9)
        assert dead.topic == Topic.STARTED
        assert [alert.kind for alert in it.world.ledger.alerts(9)] == ["outbox_dead"]


def test_a_redirect_is_not_followed_wherever_it_leads() -> None:
    with Telling(AUDIT) as it, receiver() as elsewhere:
        it.receivers["audit"].usual = Reply(307, {"location": elsewhere.url})
        it.played()
        assert elsewhere.came == []
        assert set(it.states(OutboxState.DEAD)) == {"audit:"}


def test_a_receiver_that_hangs_or_is_away_holds_up_no_other() -> None:
    other = Subscriber("other")
    with Telling(AUDIT, other) as it:
        it.receivers["audit"].usual = Reply(hangs=True)
        assert wanted(*it.played()) == it.told("other")
        assert set(it.states(OutboxState.WAITING)) == {"audit:"}
        assert len(it.receivers["audit"].came) < 20, "one that is away is asked by and by"


@pytest.mark.parametrize(
    ("concern", "count"),
    [
        (replace(AUDIT, topics=(Topic.ROLLED_BACK,)), 1),
        (replace(AUDIT, owners=("team-*",), services=("check*",), clusters=("local",)), 6),
        (replace(AUDIT, owners=("team-web",)), 0),
        (replace(AUDIT, services=("cart",)), 0),
        (replace(AUDIT, clusters=("other",)), 0),
    ],
)
def test_who_is_told_what_is_chosen_in_the_configuration(concern: Subscriber, count: int) -> None:
    with Telling(concern) as it:
        it.played()
        assert len(it.told()) == count


def test_the_end_of_the_rollback_window_is_told_once_with_a_time_of_its_own() -> None:
    with Telling(AUDIT) as it:
        it.release("1.0")
        it.go(10)
        second = it.release("1.1")
        it.go(30)
        it.say(second, "approve")
        it.go(60)
        assert it.told()[-1] == (second, "release.promoted")
        it.world.clock.pause(HOUR / SECOND)
        it.receivers["audit"].replies.append(Reply(500))
        it.go(10)
        failed, closed = it.receivers["audit"].came[-2:]
        assert (closed.json["type"], closed.json["data"]["id"]) == ("release.window_closed", second)
        assert (failed.body, failed.headers["webhook-id"]) == (closed.body, closed.headers["webhook-id"])
        promoted = it.receivers["audit"].came[-3]
        assert promoted.headers["webhook-id"] != closed.headers["webhook-id"]


def test_what_a_subscriber_did_not_take_for_a_day_ends_dead() -> None:
    with Telling(AUDIT) as it:
        it.receivers["audit"].usual = Reply(401)
        it.release("1.0")
        it.go(10)
        assert it.states(OutboxState.DEAD) == []
        it.world.clock.pause(25 * HOUR / SECOND)
        it.go(130)
        assert it.states(OutboxState.DEAD) == ["audit:", "audit:"]
