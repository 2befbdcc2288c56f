"""Worlds for the API: over the memory ledger, and where it says so over SQLite too."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog
from fastapi.testclient import TestClient

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.ledger.sql import SqlLedger
from delivery.machine.evolve import fold
from delivery.model.ids import SECOND
from tests.api.world import NOW, SERVICE, ManualClock, World, bearer
from tests.oidc import Idp, provider


@pytest.fixture
def world() -> World:
    clock = ManualClock()
    return World(MemoryLedger(clock, fold), clock)


@pytest.fixture(params=["memory", "sqlite"])
def either_world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The same world over each ledger."""
    clock = ManualClock()
    if request.param == "memory":
        yield World(MemoryLedger(clock, fold), clock)
        return
    ledger = SqlLedger(request.getfixturevalue("migrated_sqlite"), fold=fold)
    try:
        yield World(ledger, clock)
    finally:
        ledger.close()


@pytest.fixture
def http(world: World) -> Iterator[TestClient]:
    with TestClient(world.app, base_url="http://testserver") as client:
        yield client


@pytest.fixture
def either(either_world: World) -> Iterator[TestClient]:
    with TestClient(either_world.app) as client:
        yield client


@pytest.fixture
def idp() -> Iterator[Idp]:
    """A provider of OpenID Connect whose clock stands where that of the world stands."""
    with provider(NOW / SECOND) as idp:
        yield idp


@pytest.fixture
def checkout(http: TestClient) -> TestClient:
    """The API with the service applied."""
    answer = http.put("/v1/services/checkout", json=SERVICE, headers=bearer("olga"))
    assert answer.status_code == 201, answer.text
    return http


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged, which must never be a fault of ours."""
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        yield lines
    assert [line for line in lines if line["log_level"] == "error"] == []
