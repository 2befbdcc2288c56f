"""One trace from a webhook to what the proxy runs: real API and Celery worker, real Envoy, real receiver of OTLP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from delivery.sandbox.demo.api import Access, Api, Json
from delivery.sandbox.environment import Local, Wanted, running
from delivery.sandbox.load import Load, Wish
from delivery.sandbox.ports import HOST
from tests.collector import Collector, Span, collector
from tests.e2e.test_kills import ended, started

FILE = """\
service: checkout
cluster: local
workload: {process: checkout, rollback_window: 5s}
tick: 1s
strategies:
  - canary: {steps: [50%], bake: 1s, min_requests: 20}
gates:
  errors: {ratio: http_errors, dispersion: 1}
"""
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[tuple[Local, Api]]:
    """The first version is stable and under load."""
    async with running(Wanted(folder), lambda line: None) as local:
        api = Api(Access(local.api_url, local.proxy_url, local.keys.tokens, local.source, local.keys.secret))
        load, stop = Load(HOST, local.proxy_port, Wish("checkout", 100)), asyncio.Event()
        try:
            await api.apply("checkout", FILE, "alice")
            await ended(api, await started(api, "1.4.1"))
            sending = asyncio.create_task(load.run(stop=stop))
            yield local, api
            stop.set()
            await sending
        finally:
            stop.set()
            await api.aclose()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch):
    with collector() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield found


def connected(spans: list[Span]) -> None:
    """Every span has its parent among them, up to the one whose parent is the caller's."""
    known = {span.id for span in spans}
    (root,) = [span for span in spans if span.parent not in known]
    assert (root.parent, root.name, root.kind) == (CALLER, "POST /v1/webhooks/{source}", "server")
    assert root.process == "delivery-api"
    assert root.facts["http.response.status_code"] == 202


def below(spans: list[Span], name: str, **facts: object) -> Span:
    """The only span of this name with these facts."""
    wanted = {f"delivery.{key}": value for key, value in facts.items()}
    (found,) = [span for span in spans if span.name == name and wanted.items() <= span.facts.items()]
    return found


def led_to_the_write(spans: list[Span], release: Json) -> None:
    """Admission, the workload, the write of 50 %, what the proxies said of it, and the gates' look, in this order."""
    admitted = below(spans, "admit delivery", outcome="release", release=release["id"])
    prepared = below(spans, "ensure workload", outcome="WorkloadReady")
    wrote = below(spans, "write traffic", weight=50, outcome="written", stage=0)
    proven = below(spans, "confirm traffic", outcome="Confirmed", dseq=wrote.facts["delivery.dseq"])
    looked = [span for span in spans if span.name == "measure" and "errors=" in str(span.facts["delivery.verdicts"])]
    in_order = [admitted, prepared, wrote, proven, *looked]
    assert looked
    assert [span.ended for span in in_order] == sorted(span.ended for span in in_order)
    assert admitted.process == "delivery-api"
    by = {span.id: span for span in spans}
    for one in in_order[1:]:
        turn = by[one.parent]
        assert (turn.name, turn.kind, turn.process) == ("process release", "consumer", "delivery-worker")
        assert turn.begun <= one.begun <= one.ended <= turn.ended
        assert (one.kind, one.failed) == ("client", False)
        assert one.facts["delivery.service"] == "checkout"
        assert one.facts["delivery.cluster"] == "local"
        assert one.facts["delivery.release"] == release["id"]


@pytest.mark.timeout(300)
def test_one_trace_leads_from_the_webhook_to_what_the_proxy_runs(tmp_path: Path, told: Collector) -> None:
    async def traced() -> None:
        async with scene(tmp_path) as (local, api):
            api._http.headers["traceparent"] = f"00-{TRACE}-{CALLER}-01"
            release = await ended(api, await started(api, "1.4.2"))
            assert release["state"] == "promoted"
            told.until(lambda: any("Promoted" in span.moments for span in told.of(TRACE)))
            spans = told.of(TRACE)
            connected(spans)
            led_to_the_write(spans, release)
            turns = [span for span in spans if span.name == "process release"]
            assert all(turn.moments for turn in turns), "a turn that decided nothing is not told"
            assert TRACE in release["origin"]["traceparent"]
            for log in ("api", "worker-1"):
                assert f'"trace_id": "{TRACE}"' in (local.logs / f"{log}.log").read_text(), log
            sent = b"".join(told.raw)
            for secret in (local.keys.secret, *local.keys.tokens.values(), "specversion"):
                assert secret.encode() not in sent
            told.deaf = True
            release = await ended(api, await started(api, "1.4.3"))
            assert release["state"] == "promoted", "though nobody takes traces any more"
            assert told.unanswered

    asyncio.run(traced())
