"""Service files over HTTP: applied, read, checked, refused with places, deleted."""

from functools import partial

import pytest

from tests.api.test_actions import problem
from tests.api.test_queues import meanwhile
from tests.api.world import SERVICE, bearer

OLGA, VERA, ROOT = bearer("olga"), bearer("vera"), bearer("root")
YAML = """\
service: checkout
cluster: local
workload: {process: checkout}
strategies:
  - canary: {steps: [5%, 500%]}
"""


def test_a_service_is_applied_and_shown_with_its_target(either):
    created = either.put("/v1/services/checkout", json=SERVICE, headers=OLGA)
    assert created.status_code == 201
    assert created.headers["etag"] == '"1"'
    shown = either.get("/v1/services/checkout", headers=VERA)
    assert shown.json() == created.json()
    assert shown.json()["document"] == SERVICE
    assert [target["cluster"] for target in shown.json()["targets"]] == ["local"]
    assert either.get("/v1/services", headers=VERA).json()["services"] == [shown.json()]


def noting(asked, name, method):
    def noted(*arguments):
        asked.append(name)
        return method(*arguments)

    return noted


def test_all_services_are_asked_for_together_however_many(http, world, monkeypatch):
    for name in ("cart", "checkout", "mail"):
        body = {**SERVICE, "service": name, "cluster": ["local", "other"]}
        assert http.put(f"/v1/services/{name}", json=body, headers=OLGA).status_code == 201
    asked: list[str] = []
    for name in ("rows", "services", "service", "posted"):
        monkeypatch.setattr(type(world.ledger), name, noting(asked, name, getattr(type(world.ledger), name)))
    found = http.get("/v1/services", headers=VERA).json()["services"]
    assert [(one["name"], len(one["targets"])) for one in found] == [("cart", 2), ("checkout", 2), ("mail", 2)]
    assert sorted(asked) == ["rows", "services", "services"]


def test_the_same_file_again_changes_nothing_and_another_one_is_a_revision(checkout):
    again = checkout.put("/v1/services/checkout", json=SERVICE, headers=OLGA)
    assert (again.status_code, again.json()["revision"]) == (200, 1)
    changed = checkout.put("/v1/services/checkout", json={**SERVICE, "tick": "5s"}, headers=OLGA)
    assert (changed.status_code, changed.json()["revision"]) == (200, 2)


def test_a_release_that_opens_while_a_file_is_applied_keeps_what_it_moves(either, either_world, monkeypatch):
    """Between the look at what is open and the store."""
    ledger = either_world.ledger
    assert either.put("/v1/services/checkout", json=SERVICE, headers=OLGA).status_code == 201
    start = {"service": "checkout", "version": "1.4.2"}
    answers = []
    meanwhile(
        monkeypatch, ledger, "rows", lambda: answers.append(either.post("/v1/releases", json=start, headers=OLGA))
    )
    moved = either.put("/v1/services/checkout", json={**SERVICE, "cluster": "other"}, headers=OLGA)
    assert answers[0].json()["outcome"] == "release"
    assert problem(moved) == (409, "in-use")
    assert ledger.service("checkout").document == SERVICE


def test_a_release_that_opens_while_its_service_is_deleted_keeps_it(either, either_world, monkeypatch):
    assert either.put("/v1/services/checkout", json=SERVICE, headers=OLGA).status_code == 201
    start = {"service": "checkout", "version": "1.4.2"}
    meanwhile(monkeypatch, either_world.ledger, "rows", lambda: either.post("/v1/releases", json=start, headers=OLGA))
    assert problem(either.delete("/v1/services/checkout", headers=ROOT)) == (409, "in-use")
    assert either_world.ledger.service("checkout") is not None


@pytest.mark.parametrize("gone", [False, True])
def test_a_file_that_is_applied_while_a_release_opens_is_the_one_it_follows(either, either_world, monkeypatch, gone):
    """Between the look at the file and the commit: the release has the new plan, or there is none."""
    assert either.put("/v1/services/checkout", json=SERVICE, headers=OLGA).status_code == 201
    changed = {**SERVICE, "cluster": "other"} if gone else {**SERVICE, "strategies": [{"canary": {"steps": ["7%"]}}]}
    put = partial(either.put, "/v1/services/checkout", json=changed, headers=OLGA)
    meanwhile(monkeypatch, either_world.ledger, "deliveries", put)
    start = {"service": "checkout", "version": "1.4.2", "cluster": "local"}
    answer = either.post("/v1/releases", json=start, headers=OLGA)
    assert either_world.ledger.service("checkout").document == changed
    if gone:
        assert problem(answer) == (422, "unknown-name")
        return
    shown = either.get(f"/v1/releases/{answer.json()['release']['id']}", headers=VERA).json()
    assert [stage["name"] for stage in shown["stages"]] == ["canary 7%"]


def test_if_match_guards_a_revision(checkout):
    changed = {**SERVICE, "tick": "5s"}
    stale = checkout.put("/v1/services/checkout", json=changed, headers={**OLGA, "If-Match": '"7"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "urn:delivery:problem:changed-meanwhile")
    fresh = checkout.put("/v1/services/checkout", json=changed, headers={**OLGA, "If-Match": '"1"'})
    assert fresh.json()["revision"] == 2


def test_yaml_mistakes_come_with_line_and_place(http):
    answer = http.put(
        "/v1/services/checkout", content=YAML, headers={**OLGA, "Content-Type": "application/yaml; charset=utf-8"}
    )
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["type"] == "urn:delivery:problem:invalid"
    mistake = problem["mistakes"][0]
    assert (mistake["line"], mistake["place"]) == (5, "strategies[0].canary.steps[1]")
    assert mistake["expected"].startswith("a whole percent")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("service: &a checkout\ncluster: *a\n", "anchor"),
        ("service: checkout\nworkload: {process: checkout}\n", "cluster is missing"),
        ("service: Checkout_1\ncluster: local\nworkload: {process: checkout}\n", "'Checkout_1'; expected a name of"),
        ("service: 12\ncluster: local\nworkload: {process: checkout}\n", "is 12; expected a name of"),
        ("service: checkout\ncluster: prod\nworkload: {process: checkout}\n", "names prod"),
        ("service: checkout\ncluster: local\nworkload: {process: payments}\n", "process of the server's configuration"),
        ("service: payments\ncluster: local\nworkload: {process: checkout}\n", "but the path names checkout"),
        ("[" * 5000, "nested too deeply"),
        ("- a\n", "no mapping"),
        ("", "is empty"),
        ("a: b: c", "not YAML"),
    ],
)
def test_what_is_no_service_file_is_refused_with_the_reason(http, text, says):
    answer = http.put("/v1/services/checkout", content=text, headers={**OLGA, "Content-Type": "application/yaml"})
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    assert http.get("/v1/services", headers=VERA).json() == {"services": []}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"\xff\xfe", "malformed", 400),
        (b'{"service": ', "malformed", 400),
        (b'{"a": NaN}', "malformed", 400),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "malformed", 400),
        (b'{"service": "checkout", "service": "checkout"}', "malformed", 400),
        (b"[]", "malformed", 400),
    ],
)
def test_json_that_is_no_document_is_refused(http, body, kind, status):
    answer = http.put("/v1/services/checkout", content=body, headers={**OLGA, "Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:delivery:problem:{kind}")


def test_another_media_type_is_refused(http):
    answer = http.put("/v1/services/checkout", content="<a/>", headers={**OLGA, "Content-Type": "application/xml"})
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:delivery:problem:unsupported-media-type")


def test_check_stores_nothing_and_tells_all(http):
    good = http.post("/v1/services/checkout/check", json=SERVICE, headers=VERA).json()
    assert (good["valid"], good["changes"]) == (True, True)
    assert [stage["name"] for stage in good["plan"]["stages"]] == ["canary 5%", "canary 50%"]
    bad = http.post(
        "/v1/services/checkout/check", json={**SERVICE, "tick": "soon", "policy": {"x": 1}}, headers=VERA
    ).json()
    assert bad["valid"] is False
    assert {mistake["place"] for mistake in bad["mistakes"]} == {"tick", "policy.x"}
    assert http.get("/v1/services", headers=VERA).json() == {"services": []}
    http.put("/v1/services/checkout", json=SERVICE, headers=OLGA)
    assert http.post("/v1/services/checkout/check", json=SERVICE, headers=VERA).json()["changes"] is False


def test_a_plan_is_previewed_of_a_service_or_of_a_document(checkout):
    stored = checkout.post("/v1/plan", json={"service": "checkout"}, headers=VERA)
    assert stored.status_code == 200
    plan = stored.json()
    assert plan["at_least"] == "2m"
    assert plan["gates"][0]["id"] == "errors"
    assert len(plan["text"]) == 3
    given = checkout.post("/v1/plan", json={"document": SERVICE}, headers=VERA)
    assert given.json() == plan


def test_a_plan_says_what_its_gates_would_find_at_the_traffic_that_it_is_told(checkout):
    asked = {"service": "checkout", "outlook": True, "rps": 100, "errors": 0.01}
    (line,) = checkout.post("/v1/plan", json=asked, headers=VERA).json()["outlook"]
    assert line.startswith("errors at 100 requests a second with 1\u202f% errors would catch a version that is ")
    assert checkout.post("/v1/plan", json={"service": "checkout"}, headers=VERA).json()["outlook"] is None


def test_without_a_measured_release_it_says_what_is_missing(checkout):
    answer = checkout.post("/v1/plan", json={"service": "checkout", "outlook": True, "rps": 100}, headers=VERA)
    assert answer.json()["outlook"] == [
        "no release of checkout was measured yet: name its requests a second and its share of errors"
    ]


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"service": "checkout", "outlook": True, "rps": -1}, 422, "invalid"),
        ({}, 422, "invalid"),
        ({"service": "checkout", "document": {}}, 422, "invalid"),
        ({"service": "payments"}, 404, "unknown-service"),
        ({"service": "Not A Name"}, 422, "invalid"),
        ({"document": {"service": "checkout"}}, 422, "invalid"),
        ({"servce": "checkout"}, 422, "invalid"),
    ],
)
def test_a_plan_of_nothing_is_refused(checkout, body, status, kind):
    answer = checkout.post("/v1/plan", json=body, headers=VERA)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:delivery:problem:{kind}")


def test_a_service_with_a_running_release_can_lose_neither_its_cluster_nor_itself(checkout, world):
    checkout.post("/v1/releases", json={"service": "checkout", "version": "1.4.1"}, headers=OLGA)
    moved = checkout.put("/v1/services/checkout", json={**SERVICE, "cluster": "other"}, headers=OLGA)
    assert (moved.status_code, moved.json()["type"]) == (409, "urn:delivery:problem:in-use")
    deleted = checkout.delete("/v1/services/checkout", headers=ROOT)
    assert (deleted.status_code, deleted.json()["type"]) == (409, "urn:delivery:problem:in-use")
    world.go(10)
    assert checkout.delete("/v1/services/checkout", headers=ROOT).status_code == 204
    assert checkout.get("/v1/services/checkout", headers=VERA).status_code == 404
    assert checkout.delete("/v1/services/checkout", headers=ROOT).status_code == 404


def test_a_second_cluster_gets_a_target(checkout):
    answer = checkout.put("/v1/services/checkout", json={**SERVICE, "cluster": ["local", "other"]}, headers=OLGA)
    assert [target["cluster"] for target in answer.json()["targets"]] == ["local", "other"]


PLACED = {**{key: value for key, value in SERVICE.items() if key != "workload"}, "namespace": "shop"}
DEPLOYED = {**PLACED, "workload": {"deployment": "checkout"}}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"namespace": "pay"}, "namespace"),
        ({"routes": [{"virtual_service": "public"}]}, "routes"),
        ({"workload": {"deployment": "checkout", "isolation": "subset"}}, "workload"),
        ({"namespace": "pay", "workload": {"deployment": "other"}}, "namespace and workload"),
        ({"cluster": ["local", "other"], "targets": {"local": {"namespace": "pay"}}}, "namespace"),
        ({"promotion": {"via": "none"}}, "workload"),
        ({"cluster": "other", "namespace": "shop"}, "cluster"),
    ],
)
def test_what_an_open_release_moves_stays_where_it_is(http, world, change, named):
    changed = {**DEPLOYED, **change}
    assert http.put("/v1/services/checkout", json=DEPLOYED, headers=OLGA).status_code == 201
    http.post("/v1/releases", json={"service": "checkout", "version": "1.4.1"}, headers=OLGA)
    release = http.get("/v1/services/checkout", headers=VERA).json()["targets"][0]["active"]
    refused = http.put("/v1/services/checkout", json=changed, headers=OLGA)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:delivery:problem:in-use")
    assert refused.json()["detail"] == (
        f"release {release} runs in cluster local, and this file changes its {named}: "
        "abort it or let it end, then apply again"
    )
    allowed = http.put("/v1/services/checkout", json={**DEPLOYED, "tick": "5s"}, headers=OLGA)
    assert (allowed.status_code, allowed.json()["revision"]) == (200, 2)


def test_a_deployment_that_another_service_releases_is_refused(http):
    assert http.put("/v1/services/checkout", json=DEPLOYED, headers=OLGA).status_code == 201
    refused = http.put("/v1/services/basket", json={**DEPLOYED, "service": "basket"}, headers=OLGA)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:delivery:problem:in-use")
    assert refused.json()["detail"] == (
        "Deployment shop/checkout in cluster local is released by service checkout: take it out of one of the two files"
    )
    assert http.get("/v1/services/basket", headers=VERA).status_code == 404
    assert http.put("/v1/services/checkout", json={**DEPLOYED, "tick": "5s"}, headers=OLGA).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"namespace": "pay"},
        {"cluster": "other"},
        {"workload": {"deployment": "basket"}},
        {"workload": {"deployment": "checkout", "mode": "observe"}},
    ],
)
def test_another_deployment_or_one_that_is_only_watched_is_not(http, change):
    assert http.put("/v1/services/checkout", json=DEPLOYED, headers=OLGA).status_code == 201
    beside = {**DEPLOYED, "service": "basket", **change}
    answer = http.put("/v1/services/basket", json=beside, headers=OLGA)
    assert answer.status_code == 201, answer.json()


def test_what_waits_to_be_taken_down_is_still_found_there(checkout, world):
    world.load("checkout@local")
    for version in ("1.4.1", "1.4.2"):
        checkout.post("/v1/releases", json={"service": "checkout", "version": version}, headers=OLGA)
        world.go(400)
    changed = {**SERVICE, "workload": {"deployment": "checkout"}, "namespace": "shop"}
    refused = checkout.put("/v1/services/checkout", json=changed, headers=OLGA)
    assert refused.status_code == 409
    assert refused.json()["detail"] == (
        "1.4.1 is kept in cluster local for its rollback window, and this file changes its workload: "
        "apply it again when the window is over"
    )
    world.go(3700, step=10)
    assert checkout.put("/v1/services/checkout", json=changed, headers=OLGA).status_code == 200


def test_a_namespace_that_the_server_does_not_open_is_refused(http):
    answer = http.put("/v1/services/checkout", json={**DEPLOYED, "namespace": "kube-system"}, headers=OLGA)
    assert answer.status_code == 422
    assert "clusters.local.namespaces of the server's configuration" in answer.json()["detail"]
