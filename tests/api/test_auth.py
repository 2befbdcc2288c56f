"""Who may do what: every route for every role, and what is no token."""

import pytest

from delivery.model.role import Role
from tests.api.world import PEOPLE, bearer, secret

RELEASE = "/v1/releases/{id}"
SIGNED = {("POST", "/v1/webhooks/{source}"), ("POST", "/v1/slack/interactions"), ("POST", "/v1/slack/commands")}
OPEN = {("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")} | SIGNED
NEEDS = {
    ("GET", "/v1/releases"): Role.VIEWER,
    ("POST", "/v1/releases"): Role.OPERATOR,
    ("GET", RELEASE): Role.VIEWER,
    ("GET", f"{RELEASE}/events"): Role.VIEWER,
    ("GET", f"{RELEASE}/analysis"): Role.VIEWER,
    ("GET", f"{RELEASE}/explain"): Role.VIEWER,
    ("GET", f"{RELEASE}/stream"): Role.VIEWER,
    ("GET", "/v1/releases/stream"): Role.VIEWER,
    ("POST", f"{RELEASE}/approve"): Role.APPROVER,
    ("POST", f"{RELEASE}/reject"): Role.APPROVER,
    ("POST", f"{RELEASE}/pause"): Role.APPROVER,
    ("POST", f"{RELEASE}/resume"): Role.OPERATOR,
    ("POST", f"{RELEASE}/promote"): Role.OPERATOR,
    ("POST", f"{RELEASE}/abort"): Role.APPROVER,
    ("POST", f"{RELEASE}/retry"): Role.OPERATOR,
    ("POST", f"{RELEASE}/rollback"): Role.OPERATOR,
    ("GET", "/v1/services"): Role.VIEWER,
    ("GET", "/v1/services/{name}"): Role.VIEWER,
    ("PUT", "/v1/services/{name}"): Role.OPERATOR,
    ("DELETE", "/v1/services/{name}"): Role.ADMIN,
    ("POST", "/v1/services/{name}/check"): Role.VIEWER,
    ("POST", "/v1/services/{name}/pause"): Role.OPERATOR,
    ("POST", "/v1/services/{name}/resume"): Role.OPERATOR,
    ("POST", "/v1/plan"): Role.VIEWER,
    ("GET", "/v1/stop"): Role.VIEWER,
    ("PUT", "/v1/stop"): Role.OPERATOR,
    ("DELETE", "/v1/stop"): Role.OPERATOR,
    ("GET", "/v1/history/export"): Role.VIEWER,
    ("GET", "/v1/history/records"): Role.VIEWER,
    ("POST", "/v1/history/exported"): Role.ADMIN,
    ("POST", "/v1/people/erase"): Role.ADMIN,
    ("GET", "/v1/inbox"): Role.OPERATOR,
    ("GET", "/v1/inbox/delivery"): Role.OPERATOR,
    ("POST", "/v1/inbox/replay"): Role.OPERATOR,
    ("POST", "/v1/inbox/discard"): Role.OPERATOR,
    ("GET", "/v1/outbox"): Role.OPERATOR,
    ("POST", "/v1/outbox/replay"): Role.OPERATOR,
    ("POST", "/v1/outbox/discard"): Role.OPERATOR,
    ("GET", "/v1/alerts"): Role.VIEWER,
    ("GET", "/v1/tokens"): Role.ADMIN,
    ("POST", "/v1/tokens"): Role.ADMIN,
    ("DELETE", "/v1/tokens/{name}"): Role.ADMIN,
}
BODIES = {
    "/v1/tokens": {"name": "t", "principal": "p", "role": "viewer"},
    "/v1/releases": {"service": "checkout", "version": "1"},
    "/v1/plan": {"service": "checkout"},
    "/v1/stop": {"reason": "incident"},
    "/v1/inbox/replay": {"deliveries": [{"source": "ci", "key": "k"}]},
    "/v1/inbox/discard": {"deliveries": [{"source": "ci", "key": "k"}]},
    "/v1/outbox/replay": {"keys": ["k"]},
    "/v1/outbox/discard": {"keys": ["k"]},
}


def ask(http, method, path, headers):
    url = path.replace("{id}", "rel_01JD").replace("{name}", "checkout")
    body = BODIES.get(path, {}) if method in ("POST", "PUT") else None
    return http.request(method, url, json=body, headers=headers)


def kind(answer):
    return answer.json()["type"].removeprefix("urn:delivery:problem:")


def routes(app):
    """Every route of the app, those of included routers too, by the OpenAPI document that it makes of them."""
    return {(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods}


def test_every_route_is_in_the_table(world):
    assert routes(world.app) == OPEN | NEEDS.keys()


@pytest.mark.parametrize("person", PEOPLE)
def test_each_role_may_what_the_table_says_and_nothing_else(http, world, person):
    world.app.state.running.streams.most = 0  # one that begins would not end
    may = {route for route in NEEDS if kind_of(http, route, person) != "forbidden"}
    assert may == {route for route, needed in NEEDS.items() if PEOPLE[person].covers(needed)}


def kind_of(http, route, person):
    method, path = route
    answer = ask(http, method, path, bearer(person))
    assert answer.status_code != 401
    return kind(answer) if answer.status_code >= 400 else ""


def test_nothing_below_v1_is_open_but_webhooks(http):
    for method, path in NEEDS:
        answer = ask(http, method, path, {})
        assert (answer.status_code, kind(answer)) == (401, "unauthenticated"), path
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert http.get("/v1/nowhere").status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic " + secret("vera"),
        secret("vera"),
        "Bearer " + secret("vera") + "x",
        "Bearer " + secret("vera").upper(),
        "Bearer \xe9\xff",
    ],
)
def test_what_is_no_token(http, header):
    answer = http.get("/v1/releases", headers={"Authorization": header.encode("latin-1")})
    assert (answer.status_code, kind(answer)) == (401, "unauthenticated")


def test_a_scheme_is_read_in_any_case(http):
    assert http.get("/v1/releases", headers={"Authorization": f"bearer {secret('vera')}"}).status_code == 200


def test_a_stranger_is_refused_before_the_body_is_looked_at(http):
    answer = http.post("/v1/releases", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 401


def test_a_refusal_names_the_role_that_is_needed_and_the_one_that_is_there(http):
    answer = ask(http, "DELETE", "/v1/services/{name}", bearer("olga")).json()
    assert (answer["needed"], answer["detail"]) == (
        "admin",
        "this needs the role admin; olga-laptop has the role operator",
    )


def test_health_and_documentation_are_open(http):
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"):
        assert http.get(path).status_code == 200, path


def test_a_server_without_tokens_lets_nobody_in(world):
    from dataclasses import replace

    from fastapi.testclient import TestClient

    from api.app import create_app

    with TestClient(create_app(replace(world.services, tokens=()))) as http:
        assert http.get("/v1/releases", headers=bearer("root")).status_code == 401
