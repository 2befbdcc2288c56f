"""Jobs of CI that prove themselves by the token of their run: which may start what, and who it was."""

import pytest

from api.oidc.jobs import Jobs
from api.oidc.setup import Identity
from api.people import People
from delivery.adapters.ledger.memory import MemoryLedger
from delivery.machine.evolve import fold
from delivery.settings import Ci, Person
from tests.api.test_actions import act
from tests.api.test_webhooks import kind
from tests.api.world import BASE, ManualClock, World, bearer
from tests.oidc import LEFT_OUT

PEOPLE = (Person(principal="olga", role="operator", logins=("olga-acme",)),)
MAIN = {"refs": ["refs/heads/main", "refs/tags/v*"], "services": ["checkout"]}
GITHUB = {
    "sub": "repo:acme/checkout:ref:refs/heads/main",
    "repository": "acme/checkout",
    "ref": "refs/heads/main",
    "actor": "olga-acme",
    "jti": "run-1",
}
GITLAB = {
    "sub": "project_path:acme/shop/checkout:ref_type:branch:ref:main",
    "project_path": "acme/shop/checkout",
    "ref": "main",
    "ref_type": "branch",
    "user_login": "Olga-Acme",
    "jti": "job-1",
}
START = {"service": "checkout", "version": "1.4.1"}


@pytest.fixture
def world(idp) -> World:
    clock = ManualClock()
    repositories = {"github": ["acme/checkout"], "gitlab": ["acme/shop/checkout"]}
    ci = {
        name: Ci.model_validate(
            {
                "kind": name,
                "issuer": idp.issuer,
                "audience": f"{BASE}/{name}",
                "rules": [{"repositories": repositories[name], **MAIN}],
            }
        )
        for name in repositories
    }
    return World(MemoryLedger(clock, fold), clock, identity=Identity(None, ci, PEOPLE))


def job(idp, claims, ci="github", **changes):
    token = idp.token(f"{BASE}/{ci}", **{**claims, **changes})
    return {"Authorization": f"Bearer {token}"}


def start(http, headers, **changes):
    return http.post("/v1/releases", json={**START, **changes}, headers=headers)


@pytest.mark.parametrize(("ci", "claims"), [("github", GITHUB), ("gitlab", GITLAB)])
def test_a_job_starts_a_release_in_the_name_of_who_set_it_off(checkout, idp, ci, claims):
    answer = start(checkout, job(idp, claims, ci))
    assert answer.status_code == 201, answer.text
    release = checkout.get("/v1/releases", headers=bearer("vera")).json()["releases"][0]
    assert release["actor"] == "olga"
    text = checkout.get(f"/v1/releases/{release['id']}/events", headers=bearer("vera")).text
    assert f"{ci}:acme/" in text


def test_who_set_it_off_approves_nothing_of_it(checkout, world, idp):
    service = {
        "service": "checkout",
        "cluster": "local",
        "workload": {"process": "checkout"},
        "strategies": [{"canary": {"steps": ["5%"], "bake": "1m", "approval": {"before": "5%", "count": 1}}}],
    }
    assert checkout.put("/v1/services/checkout", json=service, headers=bearer("olga")).status_code == 200
    start(checkout, job(idp, GITHUB))
    world.load("checkout@local")
    world.go(120)
    release = start(checkout, job(idp, GITHUB), version="1.4.2").json()["release"]["id"]
    world.go(30)
    refused = act(checkout, release, "approve", bearer("olga"))
    assert (refused.status_code, kind(refused)) == (403, "forbidden")
    assert act(checkout, release, "approve", bearer("root")).status_code == 200


def test_somebody_whom_nobody_knows_is_called_as_ci_calls_them(checkout, idp):
    start(checkout, job(idp, GITHUB, actor="carol"))
    assert checkout.get("/v1/releases", headers=bearer("vera")).json()["releases"][0]["actor"] == "carol"


@pytest.mark.parametrize(
    ("ci", "claims", "change"),
    [
        ("github", GITHUB, {"repository": "acme/other"}),
        ("github", GITHUB, {"repository": "evil/checkout"}),
        ("github", GITHUB, {"ref": "refs/pull/7/merge"}),
        ("github", GITHUB, {"ref": "refs/heads/main2"}),
        ("github", GITHUB, {"repository": LEFT_OUT}),
        ("github", GITHUB, {"actor": LEFT_OUT}),
        ("github", GITHUB, {"ref": "refs/heads/main\n"}),
        ("gitlab", GITLAB, {"ref_type": "merge_request"}),
        ("gitlab", GITLAB, {"ref_type": "tag"}),
        ("gitlab", GITLAB, {"project_path": "acme/shop"}),
        ("gitlab", GITLAB, {"user_login": ""}),
        ("gitlab", GITHUB, {}),
        ("github", GITLAB, {}),
        ("another", GITHUB, {}),
        ("github", GITHUB, {"exp": 1}),
    ],
)
def test_a_job_that_no_rule_is_for(checkout, idp, ci, claims, change):
    answer = start(checkout, job(idp, claims, ci, **change))
    assert (answer.status_code, kind(answer)) == (401, "unauthenticated")
    assert checkout.get("/v1/releases", headers=bearer("vera")).json()["releases"] == []


@pytest.mark.parametrize(
    ("ci", "claims", "cause"),
    [
        ("github", GITHUB, {"event_name": "pull_request_target"}),
        ("github", GITHUB, {"event_name": "issue_comment"}),
        ("gitlab", GITLAB, {"pipeline_source": "merge_request_event"}),
    ],
)
def test_a_run_at_the_right_ref_that_a_stranger_can_set_off(checkout, idp, ci, claims, cause):
    answer = start(checkout, job(idp, claims, ci, **cause))
    assert (answer.status_code, kind(answer)) == (401, "unauthenticated")
    assert "people without rights" in answer.json()["detail"]


@pytest.mark.parametrize("cause", ["push", "workflow_dispatch", "release"])
def test_a_run_that_people_of_the_repository_set_off(checkout, idp, cause):
    assert start(checkout, job(idp, GITHUB, event_name=cause)).status_code == 201


def test_a_tag_that_a_rule_names_by_a_pattern(checkout, idp):
    assert start(checkout, job(idp, GITHUB, ref="refs/tags/v1.4.1")).status_code == 201


def test_a_job_starts_its_service_and_does_nothing_else(checkout, world, idp):
    headers = job(idp, GITHUB)
    assert start(checkout, headers, service="payments").status_code == 403
    release = start(checkout, headers).json()["release"]["id"]
    world.go(5)
    for action in ("abort", "pause", "promote", "rollback"):
        answer = checkout.post(f"/v1/releases/{release}/{action}", json={"reason": "x"}, headers=headers)
        assert (answer.status_code, kind(answer)) == (403, "forbidden"), action
    assert checkout.put("/v1/stop", json={"reason": "x"}, headers=headers).status_code == 403
    assert checkout.put("/v1/services/checkout", json={}, headers=headers).status_code in (403, 422)
    assert checkout.get(f"/v1/releases/{release}", headers=headers).json()["state"] == "promoted"


def test_each_rule_that_fits_gives_what_it_says_and_no_mixture_of_them(world):
    rules = [
        {"repositories": ["acme/checkout"], "refs": ["refs/heads/*"], "services": [service], "clusters": [cluster]}
        for service, cluster in (("checkout", "local"), ("search", "other"))
    ]
    ci = Ci.model_validate({"kind": "github", "rules": rules})
    caller = Jobs("github", ci, People()).caller({**GITHUB, "iat": 1, "exp": 2})
    for service, cluster, fits in (
        ("checkout", "local", True),
        ("search", "other", True),
        ("checkout", "other", False),
        ("search", "local", False),
        ("payments", "local", False),
    ):
        assert (caller.refusal("start", service, (), (cluster,)) == "") is fits
    assert caller.refusal("abort", "checkout", (), ("local",))


def test_a_copy_of_a_request_within_the_tokens_life_is_the_same_delivery(checkout, world, idp):
    headers = job(idp, GITHUB)
    first = start(checkout, headers)
    world.go(5)
    assert start(checkout, headers, version="1.4.2").status_code == 201
    world.go(5)
    again = start(checkout, headers)
    assert again.json() == first.json()
    assert len(checkout.get("/v1/releases", headers=bearer("vera")).json()["releases"]) == 2
    assert start(checkout, job(idp, GITHUB, jti="run-2")).json() != first.json()
