"""The signature suite of jobs of CI: events that they send by the token of their run, without a secret."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jwt
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.main import identity
from delivery import wiring
from delivery.adapters.ledger.memory import MemoryLedger
from delivery.machine.evolve import fold
from delivery.model.ids import SECOND
from delivery.registry import UnknownName
from delivery.settings import Ci, Person, SettingsError, Source, parse
from tests.api.test_actions import act
from tests.api.test_ci_jobs import GITHUB, GITLAB, MAIN
from tests.api.test_webhooks import kind
from tests.api.world import BASE, SECRET, SERVICE, ManualClock, World, bearer, signed
from tests.api.world import event as an_event
from tests.oidc import LEFT_OUT, Idp, new_key, provider
from tests.unit.sources.test_ci_events import PUBLISHED

JOBS: Mapping[str, Mapping[str, Any]] = {"github": GITHUB, "gitlab": GITLAB}
SOURCES = {
    "jobs": Source(dialect="cloudevents", ci=("github", "gitlab")),
    "both": Source(dialect="cloudevents", secrets=(SECRET,), ci=("github",)),
    "secret": Source(dialect="cloudevents", secrets=(SECRET,)),
    "things": Source(dialect="cdevents", ci=("github",)),
}
PUSHED = {"service": "checkout", "version": "1.4.2", "actor": "somebody-else"}


@pytest.fixture
def world(idp: Idp) -> World:
    """Sources that take jobs' tokens, secrets, or both; the API takes the same jobs'."""
    clock = ManualClock()
    repositories = {"github": ["acme/checkout"], "gitlab": ["acme/shop/checkout"]}
    ci = {
        name: Ci.model_validate(
            {
                "kind": name,
                "issuer": idp.issuer,
                "audience": f"{BASE}/{name}",
                "rules": [{"repositories": found, "clusters": ["local"], **MAIN}],
            }
        )
        for name, found in repositories.items()
    }
    made = World(MemoryLedger(clock, fold), clock)
    people = (Person(principal="olga", role="operator", logins=("olga-acme",)),)
    told = made.settings.model_copy(update={"sources": SOURCES, "ci": ci, "people": people})
    made.services = replace(made.services, sources=wiring.sources(told), identity=identity(told))
    made.app = create_app(made.services)
    return made


def event(key: str = "gh-912-1", **data: str) -> Mapping[str, Any]:
    return {**an_event(), "id": key, "data": {**PUSHED, **data}}


class Sender:
    def __init__(self, http: TestClient, world: World, idp: Idp) -> None:
        self.http, self.world, self.idp = http, world, idp

    def token(self, ci: str = "github", **changes: Any) -> str:
        claims = {**JOBS[ci], **changes}
        return self.idp.token(claims.pop("aud", f"{BASE}/{ci}"), **claims)

    def send(
        self,
        token: str,
        source: str = "jobs",
        body: Mapping[str, Any] | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Any:
        content = json.dumps(event() if body is None else body).encode()
        told = {"content-type": "application/cloudevents+json", "authorization": f"Bearer {token}", **(more or {})}
        return self.http.post(f"/v1/webhooks/{source}", content=content, headers=told)

    @property
    def releases(self) -> list[dict[str, Any]]:
        return list(self.http.get("/v1/releases", headers=bearer("vera")).json()["releases"])


@pytest.fixture
def sender(checkout: TestClient, world: World, idp: Idp) -> Sender:
    return Sender(checkout, world, idp)


def refused(answer: Any, sender: Sender, status: int = 401, problem: str = "unsigned") -> str:
    assert (answer.status_code, kind(answer)) == (status, problem), answer.text
    assert sender.releases == []
    return str(answer.json()["detail"])


@pytest.mark.parametrize("ci", JOBS)
def test_right(sender: Sender, ci: str) -> None:
    assert sender.send(sender.token(ci)).status_code == 202
    (release,) = sender.releases
    assert release["actor"] == "olga", "who set the job off, whomever the body names"
    told = sender.http.get(f"/v1/releases/{release['id']}", headers=bearer("vera")).json()["origin"]
    assert (told["via"], told["token"].partition(":")[0]) == ("ci", ci)


def test_who_set_it_off_approves_nothing_of_it(sender: Sender) -> None:
    canary = {"canary": {"steps": ["5%"], "bake": "1m", "approval": {"before": "begin"}}}
    applied = sender.http.put("/v1/services/checkout", json={**SERVICE, "strategies": [canary]}, headers=bearer("root"))
    assert applied.status_code == 200
    sender.send(sender.token(), body=event("first", version="1.4.1"))
    sender.world.load("checkout@local")
    sender.world.go(120)
    release = sender.send(sender.token()).json()["release"]["id"]
    sender.world.go(30)
    answer = act(sender.http, release, "approve", bearer("olga"))
    assert (answer.status_code, kind(answer)) == (403, "forbidden")
    assert act(sender.http, release, "approve", bearer("root")).status_code == 200


def test_missing(sender: Sender) -> None:
    body = json.dumps(event()).encode()
    for headers in ({}, {"authorization": ""}, {"authorization": "Bearer"}, {"authorization": "Basic b2xnYTpv"}):
        answer = sender.http.post("/v1/webhooks/jobs", content=body, headers=headers)
        assert "Authorization: Bearer" in refused(answer, sender)


def test_wrong_issuer(sender: Sender) -> None:
    """One that nobody trusts is no proof at all; one that calls itself the right one has no key for it."""
    with provider(sender.idp.now) as other:
        refused(sender.send(other.token(f"{BASE}/github", **GITHUB)), sender)
        token = other.token(f"{BASE}/github", **{**GITHUB, "iss": sender.idp.issuer})
        assert "signature" in refused(sender.send(token), sender)


@pytest.mark.parametrize("audience", [BASE, f"{BASE}/gitlab/", "https://elsewhere.example.org", ""])
def test_wrong_audience(sender: Sender, audience: str) -> None:
    assert "aud" in refused(sender.send(sender.token(aud=audience)), sender)


def test_expired(sender: Sender) -> None:
    token = sender.token()
    sender.world.clock.pause(300 + 60)
    assert "expired" in refused(sender.send(token), sender)
    now = sender.world.clock.now() / SECOND
    assert "not valid yet" in refused(sender.send(sender.token(iat=now + 120, exp=now + 400)), sender)


def test_replayed(sender: Sender) -> None:
    token = sender.token()
    first = sender.send(token)
    sender.world.go(5)
    assert sender.send(token).json() == first.json()
    assert sender.send(sender.token(jti="run-2")).json() == first.json(), "the event is what makes it one"
    assert len(sender.releases) == 1
    sender.world.clock.pause(3600)
    assert sender.send(token).status_code == 401


def test_the_same_id_with_something_else_in_it(sender: Sender) -> None:
    token = sender.token()
    sender.send(token)
    answer = sender.send(token, body=event(version="6.6.6"))
    assert (answer.status_code, kind(answer)) == (409, "key-reused")


def test_altered(sender: Sender) -> None:
    head, claims, mac = sender.token().split(".")
    forged = jwt.utils.base64url_encode(json.dumps({**GITHUB, "repository": "evil/x"}).encode()).decode()
    unsigned = jwt.encode({**GITHUB, "iss": sender.idp.issuer, "aud": f"{BASE}/github"}, "", "none")
    for token in (f"{head}.{forged}.{mac}", f"{head}.{claims}.{mac[::-1]}", f"{head}.{claims}.", unsigned):
        refused(sender.send(token), sender)
    assert "signature" in refused(sender.send(sender.idp.token(f"{BASE}/github", key=new_key(), **GITHUB)), sender)


@pytest.mark.parametrize("change", [{"repository": "acme/other"}, {"ref": "refs/pull/7/merge"}, {"actor": LEFT_OUT}])
def test_a_job_that_no_rule_is_for(sender: Sender, change: dict[str, Any]) -> None:
    refused(sender.send(sender.token(**change)), sender)


@pytest.mark.parametrize(
    "data",
    [{"service": "payments"}, {"cluster": "other"}, {"service": "nobody-knows-it"}],
    ids=["service", "cluster", "unknown"],
)
def test_another_service_or_cluster_than_its_rules_give_it(sender: Sender, data: dict[str, str]) -> None:
    both = {"local": "checkout", "other": "checkout"}
    service = {**SERVICE, "service": "payments", "cluster": list(both)}
    assert sender.http.put("/v1/services/payments", json=service, headers=bearer("root")).status_code == 201
    answer = sender.send(sender.token(), body=event(**data))
    assert "does not reach" in refused(answer, sender, 403, "forbidden")


def test_a_token_opens_only_the_sources_that_take_its_ci(sender: Sender) -> None:
    refused(sender.send(sender.token(), "secret"), sender)
    refused(sender.send(sender.token("gitlab"), "both"), sender)
    assert sender.send(sender.token("github"), "both").status_code == 202


def test_where_both_count_a_signature_still_does(sender: Sender) -> None:
    """Also beside a token that is none of CI's, as our command may send one."""
    for key, extra in (("a", {}), ("b", bearer("olga"))):
        headers, content = signed(event(key))
        answer = sender.http.post("/v1/webhooks/both", content=content, headers={**headers, **extra})
        assert answer.status_code == 202, answer.text
    assert sender.releases[0]["actor"] == "somebody-else"
    headers, content = signed(event("c"))
    wrong = sender.token(repository="acme/other")
    answer = sender.http.post(
        "/v1/webhooks/both", content=content, headers={**headers, "authorization": f"Bearer {wrong}"}
    )
    assert (answer.status_code, kind(answer)) == (401, "unsigned"), "a job's token that does not count is never ignored"


def test_binary_mode_is_refused_here_too(sender: Sender) -> None:
    answer = sender.send(sender.token(), more={"ce-id": "x", "ce-specversion": "1.0"})
    assert (answer.status_code, kind(answer)) == (400, "malformed")


def test_what_a_trigger_makes_of_it_has_to_be_in_reach(sender: Sender) -> None:
    trigger = {"source": "things", "event": "artifact.published"}
    for name in ("checkout", "payments"):
        service = {**SERVICE, "service": name, "triggers": [trigger] if name == "payments" else []}
        assert sender.http.put(f"/v1/services/{name}", json=service, headers=bearer("root")).status_code in (200, 201)
    refused(sender.send(sender.token(), "things", PUBLISHED), sender, 403, "forbidden")
    for name in ("payments", "checkout"):
        service = {**SERVICE, "service": name, "triggers": [trigger] if name == "checkout" else []}
        assert sender.http.put(f"/v1/services/{name}", json=service, headers=bearer("root")).status_code == 200
    assert sender.send(sender.token(), "things", PUBLISHED).status_code == 202
    assert [(one["service"], one["actor"]) for one in sender.releases] == [("checkout", "olga")]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"dialect": "cloudevents"}, "sources.jobs has neither secrets nor ci"),
        ({"dialect": "cloudevents", "ci": ["jenkins"]}, "sources.jobs.ci names jenkins; tables [ci.NAME]: none"),
    ],
)
def test_a_source_that_nobody_can_send_to_is_told_at_the_start(source: dict[str, Any], said: str) -> None:
    memory = {part: {"kind": "memory"} for part in ("mesh", "workloads", "metrics")}
    document = {"database": {"url": "sqlite://"}, "clusters": {"local": memory}, "sources": {"jobs": source}}
    with pytest.raises(SettingsError) as caught:
        parse(document, {})
    assert said in str(caught.value)


def test_a_dialect_that_jobs_do_not_speak(world: World) -> None:
    told = world.settings.model_copy(update={"sources": {"hub": Source(dialect="github", ci=("github",))}})
    with pytest.raises(UnknownName, match=r"sources\.hub\.ci: a job sends cloudevents or cdevents, and not github"):
        wiring.sources(told)
