"""Requests in traces: which are told, and what a release and an inbox row keep of theirs."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id

from api.app import create_app
from delivery.ports.deployer import Found
from delivery.ports.telemetry import Work
from tests.api import test_argocd
from tests.api.world import BASE, SERVICE, World, bearer, event, signed

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACED = {"traceparent": f"00-{TRACE}-{CALLER}-01"}


@pytest.fixture
def told() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def http(world: World, told: InMemorySpanExporter) -> Iterator[TestClient]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(told))
    with TestClient(create_app(world.services, traces=provider), base_url=BASE) as client:
        assert client.put("/v1/services/checkout", json=SERVICE, headers=bearer("olga")).status_code == 201
        told.clear()
        yield client


def started(http: TestClient, version: str = "1.4.2", **headers: str) -> Any:
    more, body = signed(event(version))
    answer = http.post("/v1/webhooks/ci", content=body, headers={**more, **headers})
    assert answer.status_code == 202, answer.text
    return http.get(f"/v1/releases/{answer.json()['release']['id']}", headers=bearer("vera")).json()


def only(told: InMemorySpanExporter) -> Any:
    (span,) = told.get_finished_spans()
    return span


def context(span: ReadableSpan) -> str:
    found = span.get_span_context()
    assert found is not None
    return f"00-{format_trace_id(found.trace_id)}-{format_span_id(found.span_id)}-{found.trace_flags:02x}"


def names(works: list[Work]) -> list[str]:
    return [work.name for work in works]


def test_a_delivery_goes_on_with_its_senders_trace_and_leaves_it_with_its_release(http, world, told, logged):
    release = started(http, **TRACED)
    span = only(told)
    assert (span.name, format_span_id(span.parent.span_id)) == ("POST /v1/webhooks/{source}", CALLER)
    assert context(span)[3:35] == TRACE
    assert release["origin"]["traceparent"] == context(span)
    assert [line["trace_id"] for line in logged if line.get("path") == "/v1/webhooks/ci"] == [TRACE]
    world.go(5)
    assert names(world.telemetry.works[context(span)]) == ["admit delivery", "process release"]


def test_one_without_a_trace_begins_one(http, told):
    release = started(http)
    assert only(told).parent is None
    assert release["origin"]["traceparent"] == context(only(told))


def test_a_sender_that_does_not_sample_is_believed(http, told):
    release = started(http, traceparent=f"00-{TRACE}-{CALLER}-00")
    assert told.get_finished_spans() == ()
    assert release["origin"]["traceparent"].startswith(f"00-{TRACE}-")
    assert release["origin"]["traceparent"].endswith("-00"), "nor do workers tell of it"


@pytest.mark.parametrize("given", ["", "nonsense", f"00-{'0' * 32}-{CALLER}-01", f"ff-{TRACE}-{CALLER}-01"])
def test_what_is_no_trace_is_as_if_it_was_not_there(http, told, given):
    started(http, traceparent=given)
    assert only(told).parent is None


def test_who_only_looks_is_not_told_of(http, told):
    for path in ("/v1/releases?actor=alice", "/v1/services", "/healthz", "/metrics", "/login?next=/", "/static/x"):
        http.get(path, headers=bearer("vera"))
    http.post("/login", data={"token": "dlv_secret"})
    assert told.get_finished_spans() == ()


def test_a_person_s_word_is_told_with_what_it_came_to(http, world, told):
    release = started(http, "1.4.1")
    told.clear()
    path = f"/v1/releases/{release['id']}/abort"
    assert http.post(path, json={"reason": "a secret reason"}, headers=bearer("olga")).status_code < 300
    (admitted,) = world.telemetry.works[context(only(told))]
    assert (admitted.facts["delivery.outcome"], admitted.facts["delivery.release"]) == ("signal", release["id"])
    assert "secret" not in f"{admitted} {only(told).to_json()}"
    assert "dlv" not in only(told).to_json(), "no header is told"


def test_what_only_hints_keeps_its_trace_until_it_is_read(http, world, told):
    test_argocd.apply(http)
    told.clear()
    assert test_argocd.send(http).json()["outcome"] == "accepted"
    kept = context(only(told))
    world.argocd.there[test_argocd.TARGET] = Found(test_argocd.FACTS)
    world.go(2)
    (release,) = http.get("/v1/releases", headers=bearer("vera")).json()["releases"]
    one = http.get(f"/v1/releases/{release['id']}", headers=bearer("vera")).json()
    assert one["origin"]["traceparent"] == kept
    assert names(world.telemetry.works[kept])[:2] == ["admit delivery", "admit delivery"], "the hint, and what it meant"


def test_where_traces_are_off_nothing_is_kept_of_them(world, logged):
    with TestClient(world.app, base_url=BASE) as http:
        http.put("/v1/services/checkout", json=SERVICE, headers=bearer("olga"))
        release = started(http, **TRACED)
    assert "traceparent" not in release["origin"]
    assert not [line for line in logged if "trace_id" in line]
    world.go(5)
    assert world.telemetry.works == {}
