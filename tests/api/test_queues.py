"""The stop, dead rows, alerts and health."""

import asyncio
import json
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.machine.evolve import fold
from delivery.model.ids import SECOND, Micros, ReleaseId
from delivery.ports.errors import Unavailable
from delivery.ports.rows import Alert, Delivery, InboxState, OutboxState, Outgoing, Unit
from tests.api.test_actions import act, begin, get, problem
from tests.api.world import NOW, SERVICE, ManualClock, World, bearer, event, signed

OLGA, VERA, ADAM = bearer("olga"), bearer("vera"), bearer("adam")


def test_a_stop_keeps_releases_from_rising_until_it_is_lifted(http, world):
    release = begin(http, world)
    put = http.put("/v1/stop", json={"scope": "owner:team-payments", "reason": "incident 7"}, headers=OLGA)
    assert put.json()["stops"] == [
        {"scope": "owner:team-payments", "by": "olga", "reason": "incident 7", "since": put.json()["stops"][0]["since"]}
    ]
    assert http.get("/v1/stop", headers=VERA).json() == put.json()
    assert world.hints.take() == ("local", "other")
    world.go(120)
    assert get(http, release).json()["stages"][1]["state"] == "pending"
    lifted = http.delete("/v1/stop", params={"scope": "owner:team-payments"}, headers=OLGA)
    assert lifted.json() == {"stops": []}
    world.go(5)
    assert get(http, release).json()["stages"][1]["state"] != "pending"


def test_a_stop_does_not_keep_a_release_from_going_back(http, world):
    release = begin(http, world)
    http.put("/v1/stop", json={"reason": "everything"}, headers=OLGA)
    act(http, release, "abort", ADAM)
    world.go(5)
    assert get(http, release).json()["state"] == "rolled_back"


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"scope": "cluster:mars", "reason": "x"}, 422, "unknown-name"),
        ({"scope": "cluster:", "reason": "x"}, 422, "invalid"),
        ({"scope": "all", "reason": "x"}, 422, "invalid"),
        ({"scope": "*"}, 422, "invalid"),
        ({"scope": "*", "reason": ""}, 422, "invalid"),
    ],
)
def test_a_stop_that_makes_no_sense(http, body, status, kind):
    assert problem(http.put("/v1/stop", json=body, headers=OLGA)) == (status, kind)


def test_what_is_not_stopped_cannot_be_lifted(http):
    assert problem(http.delete("/v1/stop", headers=OLGA)) == (404, "not-found")


def dead_delivery(key="https://ci.example.org/checkout gh-1", body=None):
    content = json.dumps(event()).encode() if body is None else body
    return Delivery("ci", key, "d", NOW, content, InboxState.DEAD, error="the ledger refused it")


def test_a_dead_delivery_is_replayed_and_its_sender_told_the_new_answer(checkout, world):
    world.ledger.commit([Unit(inbox=(dead_delivery(),))])
    (row,) = checkout.get("/v1/inbox", headers=OLGA).json()["deliveries"]
    assert (row["state"], row["error"]) == ("dead", "the ledger refused it")
    named = {"deliveries": [{"source": row["source"], "key": row["key"]}]}
    (done,) = checkout.post("/v1/inbox/replay", json=named, headers=OLGA).json()["replayed"]
    assert done["outcome"] == "release"
    assert checkout.get("/v1/inbox", headers=OLGA).json() == {"deliveries": []}
    assert get(checkout, done["release"]).json()["to"]["version"] == "1.4.2"
    again = checkout.post("/v1/inbox/replay", json=named, headers=OLGA)
    assert problem(again) == (404, "unknown-row")


def test_a_list_of_deliveries_loads_no_bodies_and_one_delivery_is_shown_whole(either, either_world, monkeypatch):
    ledger, row = either_world.ledger, dead_delivery("a/b c#checkout@local")
    ledger.commit([Unit(inbox=(row,))])
    named = {"source": row.source, "key": row.key}
    with monkeypatch.context() as heads_only:
        for whole in ("inbox", "deliveries"):
            heads_only.setattr(type(ledger), whole, None)
        (listed,) = either.get("/v1/inbox", headers=OLGA).json()["deliveries"]
    shown = either.get("/v1/inbox/delivery", params=named, headers=OLGA).json()
    assert json.loads(shown.pop("body")) == event()
    assert shown == listed
    assert problem(either.get("/v1/inbox/delivery", params=named, headers=VERA)) == (403, "forbidden")
    unknown = either.get("/v1/inbox/delivery", params={**named, "key": "x"}, headers=OLGA)
    assert problem(unknown) == (404, "unknown-row")


def test_a_replay_of_one_targets_row_is_for_that_target(checkout, world):
    checkout.put("/v1/services/checkout", json={**SERVICE, "cluster": ["local", "other"]}, headers=OLGA)
    row = dead_delivery("gh-1#checkout@other", json.dumps(event(cluster=None)).encode())
    world.ledger.commit([Unit(inbox=(row,))])
    named = {"deliveries": [{"source": "ci", "key": row.key}]}
    checkout.post("/v1/inbox/replay", json=named, headers=OLGA)
    listed = checkout.get("/v1/releases", headers=VERA).json()["releases"]
    assert [one["cluster"] for one in listed] == ["other"]


def test_a_replay_that_is_refused_again_leaves_the_row(http, world):
    world.ledger.commit([Unit(inbox=(dead_delivery(),))])
    named = {"deliveries": [{"source": "ci", "key": dead_delivery().key}]}
    (done,) = http.post("/v1/inbox/replay", json=named, headers=OLGA).json()["replayed"]
    assert (done["outcome"], done["reason"]) == ("unknown", "unknown_service")
    assert len(http.get("/v1/inbox", headers=OLGA).json()["deliveries"]) == 1


def test_a_replay_that_came_to_nothing_stands_in_the_way_of_no_other(checkout, world, monkeypatch):
    world.ledger.commit([Unit(inbox=(dead_delivery(),))])
    named = {"deliveries": [{"source": "ci", "key": dead_delivery().key}]}

    def fault(*_):
        raise ArithmeticError("not mended yet")

    with monkeypatch.context() as broken:
        broken.setattr("delivery.engine.reception.admit", fault)
        (done,) = checkout.post("/v1/inbox/replay", json=named, headers=OLGA).json()["replayed"]
        assert (done["outcome"], done["reason"]) == ("accepted", "dead")
    (done,) = checkout.post("/v1/inbox/replay", json=named, headers=OLGA).json()["replayed"]
    assert done["outcome"] == "release"


def test_a_dead_delivery_is_discarded(http, world):
    world.ledger.commit([Unit(inbox=(dead_delivery(),))])
    named = {"deliveries": [{"source": "ci", "key": dead_delivery().key}]}
    assert http.post("/v1/inbox/discard", json=named, headers=OLGA).json()["text"] == "1 row discarded"
    assert http.get("/v1/inbox", headers=OLGA).json() == {"deliveries": []}
    listed = http.get("/v1/inbox", params={"state": "discarded"}, headers=OLGA).json()
    assert [one["key"] for one in listed["deliveries"]] == [dead_delivery().key]


def test_a_delivery_with_the_longest_of_keys_can_be_given_up(http, world):
    """A CloudEvent's source and id, each percent sign of them escaped, and the target."""
    key = "%25" * 160 + " " + "%25" * 100 + f"#{'s' * 63}@{'c' * 63}"
    world.ledger.commit([Unit(inbox=(dead_delivery(key),))])
    named = {"deliveries": [{"source": "ci", "key": key}]}
    assert http.post("/v1/inbox/discard", json=named, headers=OLGA).json()["done"] == [key]


def dead_message(number=1):
    return Outgoing(
        f"rel_1:{number}:slack:#checkout", "slack:#checkout", ReleaseId("rel_1"), number, "closed", NOW,
        state=OutboxState.DEAD, attempts=8, error="channel_not_found",
    )  # fmt: skip


def test_dead_messages_are_sent_again_or_discarded_all_or_none(http, world):
    rows = [dead_message(number) for number in (1, 2, 3)]
    world.ledger.commit([Unit(outbox=tuple(replace(row, state=OutboxState.WAITING) for row in rows))])
    assert len(world.ledger.claim_outbox("worker", Micros(SECOND), 9)) == 3
    assert world.ledger.update_outbox(rows, "worker")
    listed = http.get("/v1/outbox", headers=OLGA).json()["messages"]
    assert [(one["key"], one["error"], one["attempts"]) for one in listed] == [
        (row.key, "channel_not_found", 8) for row in rows
    ]
    missing = http.post("/v1/outbox/replay", json={"keys": [rows[0].key, "rel_9:1:x"]}, headers=OLGA)
    assert problem(missing) == (404, "unknown-row")
    assert len(http.get("/v1/outbox", headers=OLGA).json()["messages"]) == 3
    done = http.post("/v1/outbox/replay", json={"keys": [rows[0].key, rows[0].key]}, headers=OLGA)
    assert (done.json()["done"], done.json()["text"]) == ([rows[0].key], "1 message to be sent again")
    http.post("/v1/outbox/discard", json={"keys": [rows[1].key]}, headers=OLGA)
    for state, row in (("waiting", rows[0]), ("discarded", rows[1]), ("dead", rows[2])):
        listed = http.get("/v1/outbox", params={"state": state}, headers=OLGA).json()["messages"]
        assert [one["key"] for one in listed] == [row.key]
    (waiting,) = world.ledger.claim_outbox("worker", Micros(1), 10)
    assert (waiting.attempts, waiting.error) == (0, "")


def meanwhile(monkeypatch, ledger, method, happens):
    """After the next answer of this method of the ledger, and before anybody acts on it, something happens."""
    ask = getattr(ledger, method)

    def asked(*given):
        answer = ask(*given)
        monkeypatch.undo()
        happens()
        return answer

    monkeypatch.setattr(ledger, method, asked)


def test_a_message_that_two_admins_send_again_at_once_is_sent_once(either, either_world, monkeypatch):
    ledger, row = either_world.ledger, dead_message()
    ledger.commit([Unit(outbox=(replace(row, state=OutboxState.WAITING),))])
    (claimed,) = ledger.claim_outbox("worker", Micros(SECOND), 9)
    ledger.update_outbox([replace(claimed, state=OutboxState.DEAD)], "worker")

    def first():
        assert either.post("/v1/outbox/replay", json={"keys": [row.key]}, headers=OLGA).status_code == 200
        (waiting,) = ledger.claim_outbox("worker", Micros(SECOND), 9)
        ledger.update_outbox([replace(waiting, state=OutboxState.SENT)], "worker")

    for action in ("replay", "discard"):
        if action == "replay":
            meanwhile(monkeypatch, ledger, "outbox", first)
        second = either.post(f"/v1/outbox/{action}", json={"keys": [row.key]}, headers=bearer("root"))
        assert problem(second) == ((409, "changed-already") if action == "replay" else (404, "unknown-row"))
        assert [one.key for one in ledger.outbox(OutboxState.SENT, 9)] == [row.key]


@pytest.mark.parametrize("action", ["replay", "discard"])
def test_a_delivery_that_two_admins_decide_at_once_is_decided_once(either, either_world, monkeypatch, action):
    ledger, row = either_world.ledger, dead_delivery()
    put = either.put("/v1/services/checkout", json=SERVICE, headers=OLGA)
    assert put.status_code == 201
    ledger.commit([Unit(inbox=(row,))])
    named = {"deliveries": [{"source": "ci", "key": row.key}]}

    def first():
        other = "discard" if action == "replay" else "replay"
        assert either.post(f"/v1/inbox/{other}", json=named, headers=OLGA).status_code == 200

    meanwhile(monkeypatch, ledger, "deliveries", first)
    second = either.post(f"/v1/inbox/{action}", json=named, headers=bearer("root"))
    assert problem(second) == (409, "changed-already")
    (kept,) = ledger.deliveries([("ci", row.key)]).values()
    expected = (InboxState.DISCARDED, "") if action == "replay" else (InboxState.DONE, "release")
    assert (kept.state, kept.outcome) == expected


def test_alerts_newest_first(http, world):
    alerts = [Alert(Micros(NOW + n), "quarantined", f"checkout@local{n}", "KeyError") for n in range(3)]
    world.ledger.commit([Unit(alerts=tuple(alerts))])
    listed = http.get("/v1/alerts", params={"limit": 2}, headers=VERA).json()["alerts"]
    assert [one["subject"] for one in listed] == ["checkout@local2", "checkout@local1"]


def test_ready_says_whether_events_are_taken_and_whether_anything_moves(http, world):
    assert http.get("/healthz").json() == {"status": "ok"}
    idle = http.get("/readyz")
    assert (idle.status_code, idle.json()["status"]) == (200, "degraded")
    world.ledger.beat("worker-1", "")
    busy = http.get("/readyz").json()
    assert (busy["status"], [one["name"] for one in busy["workers"]]) == ("ready", ["worker-1"])
    world.clock.pause(31)
    silent = http.get("/readyz").json()
    assert (silent["status"], silent["workers"][0]["silent"]) == ("degraded", True)


def test_an_unreachable_database_is_not_ready_and_is_told_everywhere(http, world, monkeypatch):
    def down(*_, **__):
        raise Unavailable("the database: no answer from 10.0.0.7 in 5s", 2.0, "the database does not answer")

    for name in ("workers", "services", "releases", "load", "deliveries", "outbox", "lateness", "service", "page"):
        monkeypatch.setattr(type(world.ledger), name, down)
    headers, body = signed(event())
    for answer in (
        http.get("/readyz"),
        http.get("/v1/services", headers=VERA),
        http.get("/v1/releases", headers=VERA),
        http.post("/v1/webhooks/ci", content=body, headers=headers),
        http.post("/v1/releases", json={"service": "checkout", "version": "1"}, headers=OLGA),
    ):
        assert problem(answer) == (503, "unavailable")
        assert answer.headers["retry-after"] == "2"
        assert "the database does not answer" in answer.json()["detail"]
    assert http.get("/healthz").status_code == 200
    scraped = http.get("/metrics")
    assert "delivery_ledger_up 0.0" in scraped.text


def test_metrics_count_requests_intake_and_what_is_in_the_ledger(http, world):
    release = begin(http, world)
    get(http, release)
    headers, body = signed(event())
    http.post("/v1/webhooks/ci", content=body, headers=headers)
    http.post("/v1/webhooks/ci", content=body, headers=headers | {"webhook-signature": "v1,AAAA"})
    http.get("/nowhere/at/all")
    http.request("BREW", "/nowhere/at/all")
    world.ledger.beat("worker-1", "")
    text = http.get("/metrics").text
    for line in (
        'delivery_api_requests_total{method="GET",route="/v1/releases/{id}",status="200"}',
        'delivery_api_requests_total{method="GET",route="other",status="404"} 1.0',
        'delivery_api_requests_total{method="other",route="other",status="404"} 1.0',
        'delivery_api_intake_answers_total{outcome="unsigned",source="ci"} 1.0',
        'delivery_api_intake_answers_total{outcome="release",source="api"} 2.0',
        "delivery_ledger_up 1.0",
        "delivery_releases_open 1.0",
        'delivery_worker_heard_seconds{worker="worker-1"} 0.0',
        'delivery_targets_due{cluster="local"}',
        'delivery_dead_rows{queue="inbox"} 0.0',
    ):
        assert line in text, line
    assert release not in text
    assert "BREW" not in text


def test_a_scrape_reads_no_bodies_of_dead_deliveries(http, world, monkeypatch):
    world.ledger.commit([Unit(inbox=(dead_delivery(),))])
    monkeypatch.setattr(type(world.ledger), "inbox", None)
    assert 'delivery_dead_rows{queue="inbox"} 1.0' in http.get("/metrics").text


def test_nobody_asks_the_database_for_its_time_on_the_event_loop():
    """It may hang for seconds, and everybody with it."""

    class Asked(ManualClock):
        def now(self) -> Micros:
            with pytest.raises(RuntimeError, match="no running event loop"):
                asyncio.get_running_loop()
            return super().now()

    clock = Asked()
    world = World(MemoryLedger(clock, fold), clock)
    headers, body = signed(event())
    with TestClient(world.app) as http:
        assert problem(http.post("/v1/webhooks/ci", content=body, headers=headers)) == (422, "unknown-name")
        assert http.get("/nowhere", headers={"accept": "text/html"}).status_code == 404
        clock.pause(301)
        assert problem(http.post("/v1/webhooks/ci", content=body, headers=headers))[1] == "stale-signature"
