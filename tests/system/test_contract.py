"""Whether a running API keeps what its OpenAPI document says: whatever fits the document, and whatever does not."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from structlog.testing import capture_logs

from api.app import create_app
from delivery.adapters.ledger.memory import MemoryLedger
from delivery.machine.evolve import fold
from delivery.settings import Limits
from tests.api.server import serving
from tests.api.world import ManualClock, World, bearer

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
CLOCK = ManualClock()
WORLD = World(MemoryLedger(CLOCK, fold), CLOCK)
SCHEMA = schemathesis.openapi.from_dict(WORLD.app.openapi())
ENDLESS = "/stream"
FOUND = [one.ok() for one in SCHEMA.get_all_operations() if isinstance(one, Ok)]
OPERATIONS = {f"{one.method.upper()} {one.path}": one for one in FOUND if not one.path.endswith(ENDLESS)}


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    unlimited = Limits(token_per_second=None, source_per_second=None)
    with capture_logs(), serving(create_app(replace(WORLD.services, limits=unlimited))) as url:
        yield url


def wrong(name: str) -> bool:
    """Whether anything can be sent to it that does not fit the document: some take nothing that could be wrong."""
    found = OPERATIONS[name]
    return bool(found.definition.raw.get("parameters")) or "requestBody" in found.definition.raw


MODES = [(name, GenerationMode.POSITIVE) for name in OPERATIONS] + [
    (name, GenerationMode.NEGATIVE) for name in OPERATIONS if wrong(name) and "/slack/" not in name
]


@pytest.mark.parametrize(("name", "mode"), MODES)
def test_it_keeps_its_word(base, name, mode):
    @settings(max_examples=12, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def send(data):
        case = data.draw(OPERATIONS[name].as_strategy(generation_mode=mode))
        case.call_and_validate(base_url=base, headers=bearer("root"), checks=CHECKS)

    send()
