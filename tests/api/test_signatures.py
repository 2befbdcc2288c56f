"""The signature suite: every dialect of the registry, and what it must refuse, take once, and take again."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from delivery import registry, wiring
from delivery.model.ids import SECOND
from delivery.settings import Source
from delivery.sources.signing import TOLERANCE
from tests.api.test_alerts import alert
from tests.api.test_webhooks import kind
from tests.api.world import NOW, SERVICE, bearer, event, signed
from tests.unit.sources.test_argocd import BODY as ARGOCD
from tests.unit.sources.test_ci_events import PIPELINE, PUBLISHED, RUN

Headers = dict[str, str]
OLD, NEW, WRONG = "old", "new", "wrong"


@dataclass(frozen=True)
class Dialect:
    """`secret` writes the secret of a name as the configuration has it; `prove` makes the headers of a request: by
    which secret, over what, at what time, under which id of the sender's. `signs`: a changed body is found out.
    `dates`: so is an old request. `named`: the body has an id, which cannot come again with something else in it."""

    secret: Callable[[str], str]
    prove: Callable[[str, bytes, int, str], Headers]
    body: Mapping[str, Any]
    signs: bool = False
    dates: bool = False
    named: bool = False


def whsec(name: str) -> str:
    return "whsec_" + base64.b64encode(f"the {name} secret of 24 bytes..".encode()).decode()


def standard(name: str, body: bytes, at: int, key: str) -> Headers:
    return signed(body, key, at, whsec(name))[0]  # type: ignore[arg-type]


def plain(name: str) -> str:
    return f"the-{name}-secret-of-16-characters"


def github(name: str, body: bytes, _: int, key: str) -> Headers:
    mac = hmac.new(plain(name).encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={mac}", "X-GitHub-Delivery": key, "X-GitHub-Event": "workflow_run"}


def gitlab(name: str, _: bytes, __: int, key: str) -> Headers:
    return {"X-Gitlab-Token": plain(name), "X-Gitlab-Event-UUID": key, "Idempotency-Key": key}


def authorized(name: str, _: bytes, __: int, key: str) -> Headers:
    return {"Authorization": f"Bearer {plain(name)}", "X-Request-ID": key}


def bearing(name: str) -> str:
    return f"bearer {plain(name)}"


ALERTS = {"version": "4", "receiver": "delivery", "status": "firing", "alerts": [alert(NOW)]}
DIALECTS = {
    "alertmanager": Dialect(bearing, authorized, ALERTS),
    "argocd": Dialect(bearing, authorized, ARGOCD),
    "cdevents": Dialect(whsec, standard, PUBLISHED, signs=True, dates=True, named=True),
    "cloudevents": Dialect(whsec, standard, event(), signs=True, dates=True, named=True),
    "github": Dialect(plain, github, RUN, signs=True),
    "gitlab": Dialect(plain, gitlab, PIPELINE),
}
ALL = pytest.mark.parametrize("name", DIALECTS)
SIGNING = pytest.mark.parametrize("name", [name for name, dialect in DIALECTS.items() if dialect.signs])


@dataclass
class Sender:
    """Sends as the dialect's own sender does. `stored` counts what was kept."""

    http: TestClient
    world: Any
    name: str

    @property
    def dialect(self) -> Dialect:
        return DIALECTS[self.name]

    def body(self, **changes: Any) -> bytes:
        return json.dumps({**self.dialect.body, **changes}).encode()

    def proof(self, body: bytes, secret: str = NEW, off: int = 0, key: str = "id-1") -> Headers:
        return self.dialect.prove(secret, body, self.world.clock.now() + off, key)

    def post(self, body: bytes, headers: Mapping[str, str]) -> Any:
        kind = "application/cloudevents+json" if self.name == "cloudevents" else "application/json"
        return self.http.post(f"/v1/webhooks/{self.name}", content=body, headers={"Content-Type": kind, **headers})

    def send(self, secret: str = NEW, off: int = 0, key: str = "id-1") -> Any:
        body = self.body()
        return self.post(body, self.proof(body, secret, off, key))

    @property
    def stored(self) -> int:
        """Deliveries; one that is about several targets has a row for each."""
        return len({key.partition("#")[0] for source, key in self.world.ledger._tables.inbox if source == self.name})


LISTENING = {
    **SERVICE,
    "policy": {"abort_on": [{"alert": "CheckoutErrors"}]},
    "triggers": [
        {"source": "github", "event": "workflow_run", "where": {"branch": "main"}, "version": "{sha:7}"},
        {"source": "gitlab", "event": "pipeline", "where": {"repository": "acme/checkout"}},
        {"source": "cdevents", "event": "artifact.published"},
        {"source": "argocd", "event": "deployed", "where": {"application": "checkout"}},
    ],
}


@pytest.fixture
def open_to(world, http):
    """An API with a source of each dialect, that takes these secrets, and a service that listens to all of them."""
    opened: list[TestClient] = []
    applied = http.put("/v1/services/checkout", json=LISTENING, headers=bearer("olga"))
    assert applied.status_code == 201, applied.text

    def make(name: str, *secrets: str) -> Sender:
        sources = {
            one: Source(dialect=one, secrets=tuple(map(dialect.secret, secrets))) for one, dialect in DIALECTS.items()
        }
        built = wiring.sources(world.settings.model_copy(update={"sources": sources}))
        client = TestClient(create_app(replace(world.services, sources=built)))
        client.__enter__()
        opened.append(client)
        return Sender(client, world, name)

    yield make
    for one in opened:
        one.__exit__(None, None, None)


@pytest.fixture
def sender(open_to, name):
    return open_to(name, OLD, NEW)


def refused(answer, sender, problem="unsigned"):
    assert (answer.status_code, kind(answer)) == (401, problem)
    assert sender.stored == 0


def test_every_dialect_is_here():
    assert set(DIALECTS) == set(registry.SOURCES)


@ALL
def test_right(sender):
    assert sender.send().status_code == 202
    assert sender.stored == 1


@ALL
def test_wrong(sender):
    refused(sender.send(WRONG), sender)


@ALL
def test_missing(sender):
    body = sender.body()
    refused(sender.post(body, {}), sender)
    for header in sender.proof(body):
        left = {name: value for name, value in sender.proof(body).items() if name != header}
        if sender.post(body, left).status_code == 202:  # it was no part of the proof
            sender.world.ledger._tables.inbox.clear()
    for header in ("webhook-signature", "X-Hub-Signature-256", "X-Gitlab-Token", "Authorization"):
        refused(sender.post(body, {header: ""}), sender)


@ALL
def test_rotated(open_to, name):
    both, later = open_to(name, OLD, NEW), open_to(name, NEW)
    first = both.send(OLD)
    assert first.status_code == 202
    assert both.send(NEW).json() == first.json(), "whichever secret: the same delivery"
    assert later.send(NEW).status_code == 202
    assert later.send(OLD).status_code == 401, "the old one is taken away"


@ALL
def test_replayed(sender):
    first = sender.send()
    for _ in range(3):
        again = sender.send()
        assert (again.status_code, again.json()) == (202, first.json())
    assert sender.stored == 1


@ALL
def test_under_a_new_id_of_the_sender(sender):
    first = sender.send(key="id-1")
    assert sender.send(key="id-2").json() == first.json()
    assert sender.stored == 1


@ALL
def test_expired(sender):
    """Who cannot date what it sends cannot be found out by its age: there a copy is still the same delivery."""
    for off in (-TOLERANCE - SECOND, TOLERANCE + SECOND):
        answer = sender.send(off=off)
        if sender.dialect.dates:
            refused(answer, sender, "stale-signature")
        else:
            assert answer.status_code == 202
    assert sender.stored == (0 if sender.dialect.dates else 1)
    for off in (-TOLERANCE, TOLERANCE):
        assert sender.send(off=off).status_code == 202


@SIGNING
def test_altered(sender):
    body = sender.body()
    proof = sender.proof(body)
    for changed in (body + b" ", body[:-1] + b',"more":1}', body.replace(b"checkout", b"payments"), b""):
        refused(sender.post(changed, proof), sender)


@SIGNING
def test_a_proof_of_another_body(sender):
    refused(sender.post(sender.body(), sender.proof(b"{}")), sender)


ANOTHER: Mapping[str, Mapping[str, Any]] = {
    "cloudevents": {"data": {**event()["data"], "version": "6.6.6"}},
    "cdevents": {"time": "2026-11-24T10:01:31Z"},
}


@ALL
def test_the_same_id_with_something_else_in_it(sender):
    first = sender.send()
    body = sender.body(**ANOTHER.get(sender.name, {"more": 1}))
    answer = sender.post(body, sender.proof(body))
    if sender.dialect.named:
        assert (answer.status_code, kind(answer)) == (409, "key-reused")
        assert sender.stored == 1
        assert sender.send().json() == first.json()
    else:
        assert answer.status_code in (202, 400)


@ALL
def test_a_proof_for_one_source_opens_no_other(sender):
    body = sender.body()
    proof = sender.proof(body)
    for other, dialect in DIALECTS.items():
        if dialect.prove is not sender.dialect.prove:
            answer = sender.http.post(f"/v1/webhooks/{other}", content=body, headers=proof)
            assert (answer.status_code, kind(answer)) == (401, "unsigned"), other


@ALL
@pytest.mark.parametrize("secret", ["", "short"])
def test_a_secret_that_could_be_guessed_stops_the_start(world, name, secret):
    settings = world.settings.model_copy(update={"sources": {name: Source(dialect=name, secrets=(secret,))}})
    with pytest.raises(registry.UnknownName, match=f"sources.{name}.secrets"):
        wiring.sources(settings)


def test_a_token_of_the_api_is_no_signature_nor_the_other_way_round(checkout):
    answer = checkout.post("/v1/webhooks/ci", json=event(), headers=bearer("root"))
    assert (answer.status_code, kind(answer)) == (401, "unsigned")
    assert checkout.put("/v1/services/checkout", json=SERVICE, headers=signed(event())[0]).status_code == 401
