"""Alerts in: one that began after the shift aborts at once, whatever else comes with it; others say why they do not."""

import json
from datetime import UTC, datetime

import pytest

from delivery.model.ids import SECOND
from tests.api.world import ALERTS, SERVICE, bearer, event, signed

URL = "/v1/webhooks/alerts"
WATCHING = {**SERVICE, "policy": {"abort_on": [{"alert": "CheckoutErrors"}]}}


def alert(started, name="CheckoutErrors", status="firing", fingerprint="835f1ce4e4fc7d33", **labels):
    begun = datetime.fromtimestamp(started / SECOND, UTC).isoformat().replace("+00:00", "Z")
    labels = {"alertname": name, "service": "checkout", "severity": "page", **labels}
    return {
        "status": status, "fingerprint": fingerprint, "startsAt": begun, "endsAt": "0001-01-01T00:00:00Z",
        "labels": {key: value for key, value in labels.items() if value is not None}, "annotations": {},
        "generatorURL": "",
    }  # fmt: skip


def fire(http, *alerts, token=ALERTS):
    body = json.dumps({"version": "4", "receiver": "delivery", "status": "firing", "alerts": alerts})
    return http.post(URL, content=body, headers={"authorization": token, "content-type": "application/json"})


@pytest.fixture
def baking(world, http):
    """A release at 5 %, shifted a moment ago."""
    assert http.put("/v1/services/checkout", json=WATCHING, headers=bearer("olga")).status_code == 201
    world.load("checkout@local")
    for version, number in (("1.4.1", "gh-1"), ("1.4.2", "gh-2")):
        headers, body = signed(event(version, number, time=f"2026-11-24T10:02:1{number[-1]}Z"), key=number)
        assert http.post("/v1/webhooks/ci", content=body, headers=headers).status_code == 202
        world.go(15)
    (running, *_) = http.get("/v1/releases", headers=bearer("vera")).json()["releases"]
    assert (running["state"], running["to"]["version"]) == ("progressing", "1.4.2")
    return running["id"]


def release(http, name):
    return http.get(f"/v1/releases/{name}", headers=bearer("vera")).json()


def test_one_that_cannot_be_read_is_refused_by_itself_and_holds_up_no_other(world, http, baking):
    """Alertmanager sends nothing again that was answered 400."""
    nameless = alert(world.clock.now(), name=None, fingerprint="1")
    answer = fire(http, nameless, alert(world.clock.now()))
    assert (answer.status_code, answer.json()["pointer"]) == (400, "/alerts/0")
    assert "alertname" in answer.json()["detail"]
    world.go(0.1, 0.1)
    assert world.mesh.traffic("checkout@local").weight == 0


def test_an_alert_that_began_after_the_shift_aborts_at_once(world, http, baking):
    answer = fire(http, alert(world.clock.now()))
    assert answer.status_code == 202
    assert (answer.json()["outcome"], answer.json()["reason"]) == ("signal", "aborted")
    assert answer.json()["release"]["id"] == baking
    world.go(0.1, 0.1)  # no tick is waited for
    assert world.mesh.traffic("checkout@local").weight == 0
    world.go(5)
    ended = release(http, baking)
    assert ended["state"] == "rolled_back"
    assert ended["cause"]["type"] == "alert"
    assert "CheckoutErrors" in ended["cause"]["text"]


def test_one_that_was_firing_before_does_not(world, http, baking):
    answer = fire(http, alert(world.clock.now() - 60 * SECOND))
    assert (answer.status_code, answer.json()["outcome"], answer.json()["reason"]) == (
        202,
        "no_op",
        "alert_before_shift",
    )
    world.go(2)
    assert release(http, baking)["state"] == "progressing"


def test_the_one_that_aborts_is_told_among_others(world, http, baking):
    now = world.clock.now()
    answer = fire(
        http,
        alert(now, status="resolved", fingerprint="1"),
        alert(now, name="DiskFull", fingerprint="2"),
        alert(now, service="payments", fingerprint="3"),
        alert(now, fingerprint="4"),
    )
    assert (answer.json()["outcome"], answer.json()["release"]["id"]) == ("signal", baking)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "resolved"}, "nothing_in_it"),
        ({"name": "DiskFull"}, "unwatched_alert"),
        ({"service": "payments"}, "unwatched_alert"),
    ],
)
def test_what_is_about_nobody_is_no_mistake_of_the_sender(world, http, baking, changes, reason):
    answer = fire(http, alert(world.clock.now(), **changes))
    assert (answer.status_code, answer.json()["outcome"], answer.json()["reason"]) == (202, "no_op", reason)
    world.go(2)
    assert release(http, baking)["state"] == "progressing"


@pytest.mark.parametrize("labels", [{"service": None}, {"cluster": "local"}, {"cluster": "eu-central-1-blue"}])
def test_labels_narrow_it_where_they_can(world, http, baking, labels):
    assert fire(http, alert(world.clock.now(), **labels)).json()["reason"] == "aborted"


def test_an_alert_of_another_cluster_of_the_service_is_not_about_this_one(world, http, baking):
    both = {**WATCHING, "cluster": ["local", "other"]}
    assert http.put("/v1/services/checkout", json=both, headers=bearer("olga")).status_code == 200
    answer = fire(http, alert(world.clock.now(), cluster="other")).json()
    assert (answer["outcome"], answer["reason"]) == ("no_op", "no_release")
    world.go(2)
    assert release(http, baking)["state"] == "progressing"


def test_it_is_sent_again_and_again_and_answered_alike(world, http, baking):
    now = world.clock.now()
    first = fire(http, alert(now)).json()
    world.go(30)
    assert fire(http, alert(now), alert(now, fingerprint="9", service="payments")).json() == first


def test_a_stranger_is_not_heard(world, http, baking):
    answer = fire(http, alert(world.clock.now()), token="Bearer something-else-of-the-length")
    assert answer.status_code == 401
    world.go(2)
    assert release(http, baking)["state"] == "progressing"
