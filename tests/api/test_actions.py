"""A person's word to one release: what fits, what does not, who may, and what an answer means."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.world import SERVICE, bearer

ADAM, OLGA, OTTO, VERA, ROOT = (bearer(person) for person in ("adam", "olga", "otto", "vera", "root"))
GUARDED = {
    **SERVICE,
    "strategies": [
        {"canary": {"steps": ["5%", "50%"], "bake": "1m", "approval": {"before": "50%", "from": "sre", "count": 1}}}
    ],
}


def act(http, release, action, who, body=None, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.post(f"/v1/releases/{release}/{action}", json=body or {}, headers={**who, **names})


def get(http, release):
    return http.get(f"/v1/releases/{release}", headers=VERA)


def problem(answer):
    return answer.status_code, answer.json()["type"].removeprefix("urn:delivery:problem:")


def begin(http, world, service=SERVICE, starter=OLGA):
    """1.4.1 is stable, and 1.4.2 bakes at 5 percent."""
    assert http.put("/v1/services/checkout", json=service, headers=OLGA).status_code in (200, 201)
    first = http.post("/v1/releases", json={"service": "checkout", "version": "1.4.1"}, headers=starter)
    world.go(10)
    assert get(http, first.json()["release"]["id"]).json()["state"] == "promoted"
    answer = http.post("/v1/releases", json={"service": "checkout", "version": "1.4.2"}, headers=starter)
    assert answer.status_code == 201
    assert answer.headers["location"] == answer.json()["release"]["url"]
    world.load("checkout@local")
    world.go(10)
    release = answer.json()["release"]["id"]
    assert get(http, release).json()["stages"][0]["state"] == "baking"
    return release


@pytest.fixture
def baking(http, world):
    return begin(http, world)


def test_abort_is_answered_reverting_and_shown_as_effective_later(either, either_world):
    release = begin(either, either_world)
    answer = act(either, release, "abort", ADAM, {"reason": "errors look odd"})
    assert answer.status_code == 202
    said = answer.json()
    assert (said["effect"], said["state"], said["release"]["id"]) == ("reverting", "rolling_back", release)
    either_world.go(5)
    shown = get(either, release).json()
    assert (shown["state"], shown["cause"]["type"], shown["cause"]["actor"]) == ("rolled_back", "aborted", "adam")
    assert shown["cause"]["text"] == "aborted by adam: errors look odd"
    assert shown["reverted_in"].endswith("s")
    assert [stage["state"] for stage in shown["stages"]] == ["stopped", "not_reached"]


def test_an_action_that_does_not_fit_names_those_that_do(http, baking):
    answer = act(http, baking, "retry", OLGA)
    assert problem(answer) == (409, "not-allowed-now")
    assert "abort" in answer.json()["allowed"]
    assert answer.json()["allowed"] == get(http, baking).json()["actions"]


def test_an_action_that_was_just_refused_is_not_proposed(http, world, baking):
    act(http, baking, "promote", OLGA)
    world.go(5)
    (first,) = [one for one in http.get("/v1/releases", headers=VERA).json()["releases"] if one["number"] == 1]
    answer = act(http, first["id"], "rollback", OLGA)
    assert problem(answer) == (409, "not-allowed-now")
    assert answer.json()["allowed"] == []


def test_pause_and_resume(http, world, baking):
    paused = act(http, baking, "pause", ADAM, {"reason": "lunch"})
    assert (paused.status_code, paused.json()["effect"]) == (200, "effective")
    world.go(120)
    shown = get(http, baking).json()
    assert [(hold["kind"], hold["by"]) for hold in shown["holds"]] == [("pause", "adam")]
    assert shown["stages"][1]["state"] == "pending"
    assert act(http, baking, "resume", OLGA, {"holds": ["pause"]}).status_code == 200
    world.go(5)
    assert get(http, baking).json()["stages"][1]["state"] != "pending"


def test_a_hold_that_is_not_there_or_no_hold_at_all(http, baking):
    assert problem(act(http, baking, "resume", OLGA, {"holds": ["no_data"]}))[0] == 409
    assert problem(act(http, baking, "resume", OLGA, {"holds": ["everything"]})) == (422, "invalid")
    assert problem(act(http, baking, "resume", OLGA, {"holds": []})) == (422, "invalid")


def test_a_freeze_is_overridden_with_a_reason_only(http, world):
    window = {"cron": "0 10 * * TUE", "tz": "UTC", "for": "1h"}
    release = begin(http, world)
    http.put("/v1/services/checkout", json={**SERVICE, "policy": {"freeze": [window]}}, headers=OLGA)
    world.go(120)
    assert [hold["kind"] for hold in get(http, release).json()["holds"]] == ["freeze"]
    assert problem(act(http, release, "promote", OLGA)) == (409, "not-allowed-now")
    silent = act(http, release, "resume", OLGA, {"holds": ["freeze"]})
    assert problem(silent) == (422, "needs-reason")
    assert act(http, release, "resume", OLGA, {"holds": ["freeze"], "reason": "security fix"}).status_code == 200
    world.go(5)
    assert get(http, release).json()["stages"][1]["state"] != "pending"


def test_promote_skips_the_stages_that_are_left(http, world, baking):
    assert act(http, baking, "promote", OTTO, {"reason": "hotfix"}).status_code == 200
    world.go(5)
    shown = get(http, baking).json()
    assert shown["state"] == "promoted"
    assert [stage["state"] for stage in shown["stages"]] == ["skipped", "skipped"]
    assert (shown["promotion"]["state"], shown["promotion"]["split"]["confirmed"]) == ("passed", 100)


def test_a_finished_release_is_retried_or_rolled_back_as_a_new_one(http, world, baking):
    act(http, baking, "abort", ADAM)
    world.go(5)
    again = act(http, baking, "retry", OLGA, {"reason": "it was the network"})
    assert again.status_code == 201
    retry = again.json()["release"]["id"]
    assert again.headers["location"] == f"https://delivery.example.org/v1/releases/{retry}"
    world.go(5)
    act(http, retry, "promote", OTTO)
    world.go(5)
    assert get(http, retry).json()["retry_of"] == baking
    back = act(http, retry, "rollback", OLGA)
    assert back.status_code == 201
    world.go(10)
    shown = get(http, back.json()["release"]["id"]).json()
    assert (shown["state"], shown["to"]["version"], shown["rolls_back"]) == ("promoted", "1.4.1", retry)


def test_an_approval_needs_the_group_and_another_person(http, world):
    release = begin(http, world, GUARDED, starter=ROOT)
    world.go(120)
    assert [hold["kind"] for hold in get(http, release).json()["holds"]] == ["approval"]
    assert problem(act(http, release, "approve", OTTO)) == (403, "forbidden")  # not of the group
    assert problem(act(http, release, "approve", ROOT)) == (403, "forbidden")  # started it
    assert act(http, release, "approve", ADAM, {"reason": "looks good"}).status_code == 200
    world.go(5)
    second = get(http, release).json()["stages"][1]
    assert second["needs"] == {"count": 1, "group": "sre"}
    assert [(one["actor"], one["via"], one["reason"]) for one in second["approvals"]] == [
        ("adam", "token adam-laptop", "looks good")
    ]
    assert second["state"] in ("shifting", "baking")


def test_two_approvals_at_once_are_one_and_a_clear_answer(http, world):
    release = begin(http, world, GUARDED, starter=ROOT)
    world.go(120)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: act(http, release, "approve", ADAM), range(4)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert [answer.status_code for answer in answers].count(200) >= 1
    votes = [one for one in _events(http, release) if one["type"] == "approved"]
    assert len(votes) == 1


def _events(http, release):
    return http.get(f"/v1/releases/{release}/events", params={"limit": 1000}, headers=VERA).json()["events"]


def test_reject_goes_back(http, world):
    release = begin(http, world, GUARDED, starter=ROOT)
    world.go(120)
    answer = act(http, release, "reject", ADAM)
    assert (answer.status_code, answer.json()["effect"]) == (202, "reverting")


def test_a_late_vote_after_an_abort_misses(http, world):
    release = begin(http, world, GUARDED, starter=ROOT)
    world.go(120)
    seen = get(http, release).headers["etag"]
    act(http, release, "abort", OTTO)
    assert problem(act(http, release, "approve", ADAM, If_Match=seen)) == (412, "changed-meanwhile")
    assert problem(act(http, release, "approve", ADAM)) == (409, "not-allowed-now")


def test_if_match_is_for_what_was_seen(http, baking):
    seen = get(http, baking).headers["etag"]
    assert act(http, baking, "pause", ADAM, If_Match=f'"1", {seen}').status_code == 200
    stale = act(http, baking, "resume", OLGA, If_Match=seen)
    assert problem(stale) == (412, "changed-meanwhile")
    assert stale.headers["etag"] == stale.json()["current"] == get(http, baking).headers["etag"]
    assert act(http, baking, "resume", OLGA, If_Match="*").status_code == 200


def test_the_same_key_is_done_once_and_told_the_same(either, either_world):
    release = begin(either, either_world)
    headers = {"Idempotency_Key": "a-key", "If_Match": get(either, release).headers["etag"]}
    first = act(either, release, "pause", ADAM, {"reason": "lunch"}, **headers)
    again = act(either, release, "pause", ADAM, {"reason": "lunch"}, **headers)
    assert (again.status_code, again.json()) == (200, first.json())
    assert [one["type"] for one in _events(either, release)].count("hold_placed") == 1
    other = act(either, release, "pause", ADAM, {"reason": "dinner"}, **headers)
    assert problem(other) == (409, "key-reused")
    path = act(either, release, "abort", ADAM, {"reason": "lunch"}, **headers)
    assert problem(path) == (409, "key-reused")


def test_two_callers_may_use_the_same_key(http, baking):
    assert act(http, baking, "pause", ADAM, Idempotency_Key="1").status_code == 200
    assert act(http, baking, "resume", OLGA, Idempotency_Key="1").status_code == 200


def test_a_release_that_is_not_there(http, checkout):
    for release in ("rel_01JD", "rel_", "1", "rel_%00", "rel_" + "A" * 99):
        assert problem(act(http, release, "abort", ADAM)) == (404, "unknown-release")


@pytest.mark.parametrize(
    "body",
    [
        {"reason": 1},
        {"reason": "two\nlines"},
        {"reason": "nul\x00"},
        {"reason": "x" * 1001},
        {"because": "typo"},
        [],
        "text",
    ],
)
def test_a_body_that_is_no_reason(http, baking, body):
    answer = http.post(f"/v1/releases/{baking}/abort", json=body, headers=ADAM)
    assert problem(answer) == (422, "invalid")
    half = http.post(f"/v1/releases/{baking}/abort", content=b'{"reason": "\\ud800"}', headers=ADAM)
    assert problem(half) == (422, "invalid")
    assert get(http, baking).json()["state"] == "progressing"


def test_a_body_that_is_no_json(http, baking):
    for content in (b"{", b"[" * 100_000):
        answer = http.post(
            f"/v1/releases/{baking}/abort", content=content, headers={**ADAM, "Content-Type": "application/json"}
        )
        assert problem(answer) == (400, "malformed")


@pytest.mark.parametrize(
    "body",
    [
        {"service": "Checkout_1", "version": "1"},
        {"service": "checkout", "version": ""},
        {"service": "checkout", "version": "a b"},
        {"service": "checkout", "version": "1", "image": "no image"},
        {"service": "checkout", "version": "1", "cluster": "../x"},
        {"service": "checkout"},
        {"service": "checkout", "version": "1", "clusters": ["local"]},
    ],
)
def test_a_start_of_what_cannot_be(checkout, body):
    assert problem(checkout.post("/v1/releases", json=body, headers=OLGA)) == (422, "invalid")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"service": "Checkout_1", "version": "1"}, "service is 'Checkout_1'; expected a name of lower case letters"),
        ({"service": "checkout", "version": "a b"}, "version: expected a version such as 1.4.2"),
    ],
)
def test_mistakes_of_a_start_are_told_in_words(checkout, body, says):
    assert checkout.post("/v1/releases", json=body, headers=OLGA).json()["detail"].startswith(says)


def test_a_start_that_names_what_is_not_there_or_is_stable_already(http, world, checkout):
    missing = http.post("/v1/releases", json={"service": "payments", "version": "1"}, headers=OLGA)
    assert problem(missing) == (422, "unknown-name")
    http.post("/v1/releases", json={"service": "checkout", "version": "1.4.1"}, headers=OLGA)
    world.go(10)
    stable = http.post("/v1/releases", json={"service": "checkout", "version": "1.4.1"}, headers=OLGA)
    assert (stable.status_code, stable.json()["outcome"], stable.json()["release"]) == (200, "no_op", None)


def test_the_identity_of_what_is_started_is_its_digest_where_there_is_one(http, world, checkout):
    image = "ghcr.io/acme/checkout@sha256:9f2c"
    started = http.post("/v1/releases", json={"service": "checkout", "version": "2", "image": image}, headers=OLGA)
    shown = get(http, started.json()["release"]["id"]).json()
    assert shown["to"] == {"version": "2", "identity": "sha256:9f2c", "image": image}
    assert (shown["actor"], shown["origin"]["via"], shown["origin"]["token"]) == ("olga", "token", "olga-laptop")
