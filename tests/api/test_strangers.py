"""What somebody is told whom nobody knows, while something behind the service does not answer: never where it is."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi.testclient import TestClient

from api.oidc.flow import Attempt, Flow
from api.oidc.provider import Provider
from api.oidc.verify import Verifier
from api.problems import to_problem
from delivery.adapters.ledger.sql import SqlLedger
from delivery.machine.evolve import fold
from delivery.ports.errors import Unavailable
from tests.api.test_actions import problem
from tests.api.world import World, bearer, event, signed

HOST, USER = "127.0.0.1", "owner_of_it_all"
PAGE = {"accept": "text/html"}
COOKIE = {"cookie": "__Host-delivery-session=x; delivery-session=x"}


@pytest.fixture
def away() -> Iterator[TestClient]:
    ledger = SqlLedger(f"postgresql+psycopg://{USER}:secret@{HOST}:1/delivery", fold)
    with TestClient(World(ledger).app) as http:
        yield http
    ledger.close()


def test_a_database_that_is_away_is_told_without_where_it_is(away, logged):
    headers, body = signed(event())
    unknown = {"authorization": "Bearer dlv_made-up"}
    answers = [
        away.get("/readyz"),
        away.get("/v1/services", headers=unknown),
        away.get("/v1/services", headers=bearer("vera")),
        away.post("/v1/webhooks/ci", content=body, headers=headers),
        away.post("/login", data={"token": "dlv_made-up"}, headers={"origin": "http://testserver"}),
        away.get("/login", headers=COOKIE),
        away.get("/releases", headers=COOKIE),
    ]
    for answer in answers:
        assert problem(answer) == (503, "unavailable")
        assert answer.json()["detail"] == "the database does not answer. Nothing is lost: send it again"
    answers += [away.get("/metrics"), away.get("/healthz"), away.get("/releases", headers={**COOKIE, **PAGE})]
    for answer in answers:
        assert not [word for word in (HOST, USER, "port 1") if word in answer.text]
    causes = [line["cause"] for line in logged if line["event"] == "unavailable"]
    assert len(causes) == len(answers) - 2
    assert all(HOST in cause for cause in causes)


def test_a_provider_that_is_away_is_told_without_the_way_to_it():
    issuer = "http://127.0.0.1:1/realm"
    provider = Provider(issuer, httpx.Client(timeout=1))
    flow = Flow(provider, Verifier(provider, "us", ("RS256",)), "us", "", (), "https://delivery.example.org/back")
    with pytest.raises(Unavailable) as raised:
        flow.begin(Attempt.new("/"))
    detail = to_problem(raised.value).detail
    assert "127.0.0.1" not in detail
    assert "provider" in detail


def test_whatever_a_fault_says_stays_in_the_log():
    assert "10.0.0.7" not in to_problem(Unavailable("connect to 10.0.0.7 as root: refused")).detail
