"""Argo CD's notifications over the API: accepted at once, admitted once a worker has read again what is there."""

import json

import pytest
from fastapi.testclient import TestClient

from delivery.engine.reread import PATIENCE, TRIES
from delivery.model.ids import SECOND
from delivery.model.standing import Standing
from delivery.ports.deployer import Found
from delivery.ports.rows import InboxState
from tests.api.world import ARGOCD, SERVICE, World, bearer

TARGET = "checkout@local"
FACTS = {
    "application": "checkout",
    "health": "Healthy",
    "version": "1.4.2",
    "image": "ghcr.io/acme/checkout:1.4.2",
    "revision": "4be1d0c",
}
TRIGGER = {"source": "argocd", "event": "deployed", "where": {"application": "checkout", "health": "Healthy"}}
BODY = {"application": "checkout", "finished_at": "2026-11-24T10:02:11Z"}


@pytest.fixture
def http(either_world: World):
    with TestClient(either_world.app) as client:
        apply(client)
        yield client


def apply(http, **changes):
    body = {**SERVICE, "triggers": [TRIGGER], **changes}
    path = f"/v1/services/{body['service']}"
    assert http.put(path, json=body, headers=bearer("olga")).status_code in (200, 201)


def send(http, **changes):
    body = json.dumps({**BODY, **changes}).encode()
    scheme, token = ARGOCD.split()
    return http.post("/v1/webhooks/argocd", content=body, headers={"Authorization": f"{scheme} {token}"})


def releases(http):
    return http.get("/v1/releases", headers=bearer("vera")).json()["releases"]


def rows(world, state):
    return world.ledger.inbox(state, 100)


def test_a_notification_is_accepted_and_becomes_a_release_of_what_is_really_there(http, either_world):
    either_world.argocd.there[TARGET] = Found(FACTS, by="adam-acme")
    answer = send(http)
    assert (answer.status_code, answer.json()["outcome"]) == (202, "accepted")
    assert releases(http) == [], "a body that only hints starts nothing"
    either_world.go(2)
    (release,) = releases(http)
    assert release["to"]["version"] == "1.4.2"
    assert release["actor"] == "adam-acme"
    again = send(http).json()
    assert (again["outcome"], again["release"]["id"]) == ("release", release["id"])
    either_world.go(2)
    assert len(releases(http)) == 1


def test_who_pushed_is_who_they_are_here(http, either_world):
    either_world.argocd.there[TARGET] = Found(FACTS, by="somebody-else")
    send(http, actor="Adam-Acme")
    either_world.go(2)
    assert releases(http)[0]["actor"] == "adam"


def test_one_that_comes_before_it_is_healthy_waits_for_that(http, either_world):
    either_world.argocd.there[TARGET] = Found(FACTS, waits="1 of 3 pods are available")
    send(http)
    either_world.go(30)
    assert releases(http) == []
    (waiting,) = rows(either_world, InboxState.PENDING)
    assert waiting.error == "1 of 3 pods are available"
    either_world.argocd.there[TARGET] = Found(FACTS)
    either_world.go(40)
    assert len(releases(http)) == 1
    assert rows(either_world, InboxState.PENDING) == ()


def test_many_notifications_of_one_deployment_are_one_release(http, either_world):
    either_world.argocd.there[TARGET] = Found(FACTS)
    for number in range(5):
        send(http, finished_at=f"2026-11-24T10:0{number}:11Z")
    either_world.go(5)
    assert len(releases(http)) == 1
    assert {row.outcome for row in rows(either_world, InboxState.DONE)} == {"release", "no_op"}


def test_a_cluster_that_does_not_answer_loses_nothing(http, either_world):
    either_world.argocd.there[TARGET] = Found(FACTS)
    either_world.argocd.down = True
    send(http)
    either_world.go(120, 5.0)
    assert releases(http) == []
    either_world.argocd.down = False
    either_world.go(60, 5.0)
    assert len(releases(http)) == 1


def test_what_cannot_be_read_for_long_ends_dead_with_an_alert_and_can_be_replayed(http, either_world):
    send(http)
    either_world.go(PATIENCE / SECOND + 60, 30.0)
    (dead,) = rows(either_world, InboxState.DEAD)
    assert "nothing was put there" in dead.error
    assert either_world.argocd.asked >= TRIES
    assert [alert.kind for alert in either_world.ledger.alerts(9)] == ["inbox_dead"]
    either_world.argocd.there[TARGET] = Found(FACTS)
    named = {"deliveries": [{"source": dead.source, "key": dead.key}]}
    assert http.post("/v1/inbox/replay", json=named, headers=bearer("olga")).status_code == 200
    either_world.go(3)
    assert len(releases(http)) == 1


def test_a_worker_that_starts_after_an_outage_does_not_give_up_at_once(http, either_world):
    send(http)
    either_world.clock.pause(2 * PATIENCE / SECOND)
    either_world.go(3)
    assert len(rows(either_world, InboxState.PENDING)) == 1


@pytest.mark.parametrize(
    ("facts", "reason"),
    [({**FACTS, "health": "Degraded"}, "nobody_waits"), ({**FACTS, "version": "a version"}, "no_version")],
)
def test_what_is_there_decides_and_not_what_was_said(http, either_world, facts, reason):
    either_world.argocd.there[TARGET] = Found(facts)
    send(http)
    either_world.go(2)
    (row,) = rows(either_world, InboxState.DONE)
    assert (row.outcome, row.reason) == ("no_op", reason)
    assert releases(http) == []


def test_an_application_that_nobody_waits_for_is_a_no_op(http, either_world):
    answer = send(http, application="payments").json()
    assert (answer["outcome"], answer["reason"]) == ("no_op", "nobody_waits")
    assert rows(either_world, InboxState.PENDING) == ()


def test_each_cluster_reads_its_own(http, either_world):
    apply(http, cluster=["local", "other"])
    either_world.argocd.there[TARGET] = Found(FACTS)
    send(http)
    either_world.go(2)
    assert [one["cluster"] for one in releases(http)] == ["local"]
    (waiting,) = rows(either_world, InboxState.PENDING)
    assert waiting.key.endswith("@other")
    assert "deployers.argocd" in waiting.error


def test_a_fault_of_ours_keeps_no_other_from_being_read(http, either_world):
    apply(http, service="cart", triggers=[{**TRIGGER, "where": {"application": "checkout"}}])
    either_world.argocd.there["cart@local"] = None  # not even an answer
    either_world.argocd.there[TARGET] = Found(FACTS)
    send(http)
    either_world.go(3)
    assert [one["service"] for one in releases(http)] == ["checkout"]
    assert [row.key.partition("#")[2] for row in rows(either_world, InboxState.PENDING)] == ["cart@local"]


# What Argo CD says of itself, beside the split.


def running(http, world):
    """A release of 1.4.2 that a notification began, over a stable 1.4.1."""
    http.post("/v1/releases", json={"service": "checkout", "version": "1.4.1"}, headers=bearer("olga"))
    world.go(8)
    world.argocd.there[TARGET] = Found(FACTS)
    send(http)
    world.go(8)
    return f"/v1/releases/{releases(http)[0]['id']}"


def test_its_sync_and_health_are_shown_beside_the_split(http, either_world):
    either_world.argocd.standing = Standing("Application argocd/checkout", "OutOfSync", "Degraded", "an operation runs")
    path = running(http, either_world)
    shown = http.get(path, headers=bearer("vera")).json()["deployer"]
    assert (shown["sync"], shown["health"], shown["detail"]) == ("OutOfSync", "Degraded", "an operation runs")
    explained = http.get(f"{path}/explain", headers=bearer("vera")).json()["text"]
    assert "Application argocd/checkout is OutOfSync and Degraded" in explained
    (target,) = http.get("/v1/services/checkout", headers=bearer("vera")).json()["targets"]
    assert target["deployer"]["text"] == shown["text"]


def test_what_it_said_last_stays_with_its_time_where_it_does_not_answer(http, either_world):
    path = running(http, either_world)
    before = http.get(path, headers=bearer("vera")).json()["deployer"]
    either_world.argocd.down = True
    either_world.go(20)
    assert http.get(path, headers=bearer("vera")).json()["deployer"] == before
    either_world.argocd.down = False
    either_world.argocd.standing = Standing("Application argocd/checkout", "Synced", "Healthy", revision="9")
    either_world.go(8)
    after = http.get(path, headers=bearer("vera")).json()["deployer"]
    assert (after["sync"], after["revision"]) == ("Synced", "9")
    assert after["at"] > before["at"]


def test_a_release_with_nobody_beside_it_says_nothing(http, either_world):
    apply(http, triggers=[])
    body = {"service": "checkout", "version": "1.4.2"}
    made = http.post("/v1/releases", json=body, headers=bearer("olga")).json()["release"]["id"]
    either_world.go(8)
    assert http.get(f"/v1/releases/{made}", headers=bearer("vera")).json()["deployer"] is None
