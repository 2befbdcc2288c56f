"""Tokens that admins hand out: what they open, how far they reach, and when they end."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from api.access import first
from api.app import create_app
from delivery.model.ids import HOUR, SECOND, Micros
from delivery.model.role import Role
from delivery.ports.errors import Unavailable
from tests.api.browser import Browser
from tests.api.test_actions import begin
from tests.api.test_webhooks import kind
from tests.api.world import BASE, SERVICE, bearer

ROOT = bearer("root")
ROBOT = {"name": "robot", "principal": "robot", "role": "operator"}


def make(http, **changes):
    """A token's header and what was told about it."""
    answer = http.post("/v1/tokens", json={**ROBOT, **changes}, headers=ROOT)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return {"Authorization": f"Bearer {made['secret']}"}, made["token"]


def listed(http):
    return {one["name"]: one for one in http.get("/v1/tokens", headers=ROOT).json()["tokens"]}


def test_a_token_opens_what_its_role_opens(either):
    headers, token = make(either, role="viewer", groups=["sre"])
    assert (token["state"], token["created_by"], token["groups"]) == ("valid", "root", ["sre"])
    assert either.get("/v1/releases", headers=headers).status_code == 200
    assert kind(either.put("/v1/stop", json={"reason": "x"}, headers=headers)) == "forbidden"


def test_a_secret_is_in_no_answer_but_the_first_and_in_no_table(either, either_world):
    headers, _ = make(either)
    secret = headers["Authorization"].removeprefix("Bearer ")
    assert secret.startswith("dlv_")
    assert secret not in either.get("/v1/tokens", headers=ROOT).text
    (stored,) = either_world.ledger.tokens()
    assert secret not in repr(stored)
    assert stored.digest not in either.get("/v1/tokens", headers=ROOT).text


def test_a_token_expires(http, world):
    headers, token = make(http, days=1)
    assert token["expires_at"] is not None
    world.clock.pause(24 * HOUR / SECOND - 1)
    assert http.get("/v1/releases", headers=headers).status_code == 200
    world.clock.pause(1)
    assert http.get("/v1/releases", headers=headers).status_code == 401
    assert listed(http)["robot"]["state"] == "expired"


def test_a_token_for_ever(http, world):
    headers, token = make(http, days=None)
    assert token["expires_at"] is None
    world.clock.pause(10_000 * 24 * 3600)
    assert http.get("/v1/releases", headers=headers).status_code == 200


def test_a_revoked_token_opens_nothing_and_neither_do_browsers_that_began_with_it(http, world):
    headers, _ = make(http)
    browser = Browser(world)
    secret = headers["Authorization"].removeprefix("Bearer ")
    assert browser.send("/login", token=secret).status_code == 303
    assert browser.open("/v1/releases").status_code == 200
    revoked = http.delete("/v1/tokens/robot", headers=ROOT).json()
    assert (revoked["state"], revoked["revoked_by"]) == ("revoked", "root")
    assert http.get("/v1/releases", headers=headers).status_code == 401
    assert browser.open("/v1/releases").status_code == 401
    assert browser.send("/login", token=secret).status_code == 401
    assert http.delete("/v1/tokens/robot", headers=ROOT).json() == revoked
    assert kind(http.delete("/v1/tokens/nobody", headers=ROOT)) == "not-found"


def test_a_name_is_of_one_token_for_ever(http):
    make(http)
    http.delete("/v1/tokens/robot", headers=ROOT)
    for name in ("robot", "olga-laptop"):
        answer = http.post("/v1/tokens", json={**ROBOT, "name": name}, headers=ROOT)
        assert (answer.status_code, kind(answer)) == (409, "name-taken")


def test_a_token_of_the_configuration_is_shown_and_revoked_there(http):
    assert listed(http)["olga-laptop"]["made_in"] == "configuration"
    assert kind(http.delete("/v1/tokens/olga-laptop", headers=ROOT)) == "in-use"


def test_when_a_token_was_used_is_shown_to_a_minute(http, world):
    headers, token = make(http)
    assert token["used_at"] is None
    http.get("/v1/releases", headers=headers)
    before = listed(http)["robot"]["used_at"]
    assert before is not None
    world.clock.pause(59)
    http.get("/v1/releases", headers=headers)
    assert listed(http)["robot"]["used_at"] == before
    world.clock.pause(1)
    http.get("/v1/releases", headers=headers)
    assert listed(http)["robot"]["used_at"] > before


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Robot"},
        {"principal": ""},
        {"role": "root"},
        {"days": 0},
        {"days": 4000},
        {"scope": {"actions": ["fly"]}},
        {"scope": {"everything": True}},
        {"surprise": 1},
    ],
)
def test_what_makes_no_token(http, change):
    answer = http.post("/v1/tokens", json={**ROBOT, **change}, headers=ROOT)
    assert (answer.status_code, kind(answer)) == (422, "invalid")


def test_a_cluster_that_is_not_there(http):
    answer = http.post("/v1/tokens", json={**ROBOT, "scope": {"clusters": ["mars"]}}, headers=ROOT)
    assert kind(answer) == "unknown-name"


def start(http, headers, service="checkout", **more):
    return http.post("/v1/releases", json={"service": service, "version": "1.4.1", **more}, headers=headers)


FITS = [
    {},
    {"services": ["checkout"]},
    {"owners": ["team-payments", "x"]},
    {"clusters": ["local"]},
    {"actions": ["start"]},
]
MISSES = [
    ({"services": ["payments"]}, "services payments"),
    ({"owners": ["team-search"]}, "services of team-search"),
    ({"clusters": ["other"]}, "clusters other"),
    ({"actions": ["abort", "pause"]}, "abort, pause only"),
    ({"services": ["checkout"], "actions": ["abort"]}, "abort only"),
]


@pytest.mark.parametrize("scope", FITS)
def test_a_scope_that_reaches_a_service(checkout, scope):
    headers, _ = make(checkout, scope=scope)
    assert start(checkout, headers).status_code == 201


@pytest.mark.parametrize(("scope", "says"), MISSES)
def test_a_scope_that_does_not(checkout, scope, says):
    headers, _ = make(checkout, scope=scope)
    answer = start(checkout, headers)
    assert (answer.status_code, kind(answer)) == (403, "forbidden")
    assert says in answer.json()["detail"]
    assert checkout.get("/v1/releases", headers=headers).json()["releases"] == []


def test_a_scope_of_one_cluster_starts_nothing_in_all(checkout):
    checkout.put("/v1/services/checkout", json={**SERVICE, "cluster": ["local", "other"]}, headers=bearer("olga"))
    headers, _ = make(checkout, scope={"clusters": ["local"]})
    assert start(checkout, headers).status_code == 403
    assert start(checkout, headers, cluster="other").status_code == 403
    assert start(checkout, headers, cluster="local").status_code == 201


ACTIONS = ("approve", "reject", "pause", "resume", "promote", "abort", "retry", "rollback")


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_is_one_of_the_scope(http, world, action):
    release = begin(http, world)
    only, _ = make(http, name="only", scope={"actions": [action]})
    others, _ = make(http, name="others", scope={"actions": [one for one in ACTIONS if one != action]})
    path, body = f"/v1/releases/{release}/{action}", {"reason": "x"}
    assert "does not reach" in http.post(path, json=body, headers=others).json()["detail"]
    assert "does not reach" not in http.post(path, json=body, headers=only).text


def test_a_scope_holds_for_a_release_of_another_service_too(http, world):
    release = begin(http, world)
    headers, _ = make(http, scope={"services": ["payments"]})
    answer = http.post(f"/v1/releases/{release}/abort", json={"reason": "x"}, headers=headers)
    assert (answer.status_code, kind(answer)) == (403, "forbidden")


def test_what_is_about_everything_needs_a_token_without_a_scope(checkout):
    headers, _ = make(checkout, role="admin", scope={"services": ["checkout"]})
    rows = {"deliveries": [{"source": "ci", "key": "k"}]}
    for method, path, body in (
        ("POST", "/v1/tokens", {**ROBOT, "name": "wider"}),
        ("DELETE", "/v1/tokens/robot", None),
        ("PUT", "/v1/stop", {"reason": "x"}),
        ("DELETE", "/v1/stop", None),
        ("POST", "/v1/inbox/replay", rows),
        ("POST", "/v1/inbox/discard", rows),
        ("POST", "/v1/outbox/replay", {"keys": ["k"]}),
        ("POST", "/v1/outbox/discard", {"keys": ["k"]}),
    ):
        answer = checkout.request(method, path, json=body, headers=headers)
        assert (answer.status_code, kind(answer)) == (403, "forbidden"), path


def test_a_stop_of_what_a_scope_reaches(checkout):
    team, _ = make(checkout, name="team", scope={"owners": ["team-payments"]})
    place, _ = make(checkout, name="place", scope={"clusters": ["local"]})
    for headers, fits, misses in (
        (team, "owner:team-payments", ("owner:other", "cluster:local", "*")),
        (place, "cluster:local", ("cluster:other", "owner:team-payments", "*")),
    ):
        for scope in misses:
            answer = checkout.put("/v1/stop", json={"scope": scope, "reason": "x"}, headers=headers)
            assert answer.status_code == 403, scope
        assert checkout.put("/v1/stop", json={"scope": fits, "reason": "x"}, headers=headers).status_code == 200


def put(http, headers, **changes):
    document = {**SERVICE, **changes}
    return http.put(f"/v1/services/{document['service']}", json=document, headers=headers)


def test_nobody_takes_over_a_service_by_writing_themselves_into_its_file(checkout):
    headers, _ = make(checkout, scope={"owners": ["team-search"]})
    answer = put(checkout, headers, owners=["team-search"])
    assert (answer.status_code, kind(answer)) == (403, "forbidden")
    assert put(checkout, headers, service="search", owners=["team-payments"]).status_code == 403
    assert put(checkout, headers, service="search", owners=["team-search"]).status_code == 201


def test_nobody_moves_a_service_to_where_their_token_does_not_reach(checkout):
    headers, _ = make(checkout, scope={"clusters": ["local"]})
    assert put(checkout, headers, cluster=["local", "other"]).status_code == 403
    assert put(checkout, headers, tick="20s").status_code == 200
    put(checkout, ROOT, cluster=["local", "other"])
    assert put(checkout, headers).status_code == 403


def test_break_glass_and_deletion_have_scopes_too(checkout):
    headers, _ = make(checkout, role="admin", scope={"services": ["payments"]})
    assert checkout.post("/v1/services/checkout/pause", json={"reason": "x"}, headers=headers).status_code == 403
    assert checkout.delete("/v1/services/checkout", headers=headers).status_code == 403


def test_a_database_that_does_not_answer_lets_in_those_of_the_configuration_alone(world, monkeypatch):
    with TestClient(world.app) as http:
        headers, _ = make(http)

        def away(digest):
            raise Unavailable("the database is away")

        monkeypatch.setattr(world.ledger, "token", away)
        assert http.get("/v1/releases", headers=headers).status_code == 503
        assert http.get("/v1/releases", headers=ROOT).status_code == 200
        assert http.get("/v1/releases", headers={"Authorization": "Bearer nobody"}).status_code == 401


def test_a_note_that_cannot_be_written_keeps_nobody_out(http, world, monkeypatch):
    headers, _ = make(http)

    def away(name, at):
        raise Unavailable("the database takes no writes")

    monkeypatch.setattr(world.ledger, "token_used", away)
    assert http.get("/v1/releases", headers=headers).status_code == 200


def test_a_token_of_the_configuration_has_a_scope_and_an_end_too(world):
    from datetime import UTC, datetime

    (olga,) = [token for token in world.services.tokens if token.principal == "olga"]
    end = datetime.fromtimestamp(world.clock.now() // SECOND + 60, UTC)
    narrow = olga.model_copy(update={"services": ("payments",), "expires_at": end})
    with TestClient(create_app(replace(world.services, tokens=(narrow,))), base_url=BASE) as http:
        assert start(http, bearer("olga")).status_code == 403
        world.clock.pause(60)
        assert start(http, bearer("olga")).status_code == 401


def fewer(world):
    tokens = tuple(token for token in world.settings.tokens if token.role is not Role.ADMIN)
    return world.settings.model_copy(update={"tokens": tokens})


def test_a_server_without_an_admin_makes_one_once_and_says_so_once(either_world):
    told: list[str] = []
    first.offer(fewer(either_world), either_world.ledger, either_world.clock, told.append)
    for _ in range(2):
        first.offer(fewer(either_world), either_world.ledger, either_world.clock, told.append)
    (text,) = told
    (secret,) = [word for word in text.split() if word.startswith("dlv_")]
    with TestClient(either_world.app) as http:
        made = http.post("/v1/tokens", json=ROBOT, headers={"Authorization": f"Bearer {secret}"})
        assert made.status_code == 201
        http.delete("/v1/tokens/first-admin", headers={"Authorization": f"Bearer {made.json()['secret']}"})
    http.delete("/v1/tokens/first-admin", headers=ROOT)
    first.offer(fewer(either_world), either_world.ledger, either_world.clock, told.append)
    assert len(told) == 1


def test_a_server_with_an_admin_makes_none(world):
    told: list[str] = []
    first.offer(world.settings, world.ledger, world.clock, told.append)
    assert (told, world.ledger.tokens()) == ([], ())


def test_a_first_start_without_a_database_is_no_failure(world, monkeypatch):
    def away():
        raise Unavailable("the database is away")

    told: list[str] = []
    monkeypatch.setattr(world.ledger, "tokens", away)
    first.offer(fewer(world), world.ledger, world.clock, told.append)
    assert told == []


def test_the_note_of_its_use_is_of_the_clock_of_the_server(http, world):
    headers, _ = make(http)
    world.clock.time = Micros(world.clock.time + HOUR)
    http.get("/v1/releases", headers=headers)
    assert world.ledger.token_named("robot").used_at == world.clock.time
