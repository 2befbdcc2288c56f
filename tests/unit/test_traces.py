"""Whether traces are told, that they cost nothing where they are not, and that nobody waits for who takes them."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from delivery.adapters.telemetry.otlp import wanted
from delivery.adapters.telemetry.prometheus import PrometheusTelemetry
from delivery.adapters.telemetry.traces import Traces
from delivery.model.ids import Micros
from delivery.ports.telemetry import Kind, Moment, Work
from delivery.sandbox.ports import free_port
from tests.collector import Collector, collector

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
GRPC = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
WITHIN = f"00-{TRACE}-{CALLER}-01"
WRITE = Work("write traffic", Kind.CALLS, Micros(12), Micros(19), {"delivery.weight": 5}, trouble="MeshDown")
STEP = Moment("StageEntered", Micros(15))
WORK = Work("process release", Kind.TAKES_UP, Micros(10), Micros(20), moments=(STEP,), parts=(WRITE,))


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "delivery", "OTEL_TRACES_SAMPLER": "always_on"}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "true"}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "false"}, True),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "", "OTEL_EXPORTER_OTLP_PROTOCOL": ""}, True),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
        (ENDPOINT | GRPC | {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, True),
    ],
)
def test_traces_are_off_until_somebody_is_named_who_takes_them(environ, told, caplog):
    assert wanted(environ) is told
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (GRPC, "the OTLP protocol is 'grpc', and what there is, is http/protobuf"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is 'zipkin', and what there is, is otlp"),
    ],
)
def test_what_cannot_be_done_is_said_and_stops_nobody(environ, said, caplog):
    assert not wanted(ENDPOINT | environ)
    assert said in caplog.text


def test_nothing_of_the_library_is_loaded_where_traces_are_off(tmp_path):
    memory = "\n".join(f'{part} = {{ kind = "memory" }}' for part in ("mesh", "workloads", "metrics"))
    file = tmp_path / "delivery.toml"
    file.write_text(f'[database]\nurl = "sqlite:///{tmp_path}/delivery.db"\n[clusters.local]\n{memory}\n')
    code = (
        "import sys; from workers.main import prepared; "
        f"prepared({str(file)!r}).close(); "
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={})
    assert ran.stdout == "[]\n"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collector() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        yield found


def test_work_is_told_with_its_parts_and_its_times(told, monkeypatch):
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod")
    traces = Traces("worker")
    traces.tell(WITHIN, WORK)
    traces.close()
    turn, wrote = told.of(TRACE)
    assert (turn.process, turn.parent, turn.kind, turn.moments) == ("delivery-worker", CALLER, "consumer", (STEP.name,))
    assert (turn.begun, turn.ended, turn.failed) == (10_000, 20_000, False)
    assert (wrote.parent, wrote.kind, wrote.failed) == (turn.id, "client", True)
    assert dict(wrote.facts) == {"delivery.weight": 5, "error.type": "MeshDown"}
    assert b"deployment.environment.name" in told.raw[0]


def test_the_name_of_the_service_is_the_one_that_was_given(told, monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "releases")
    traces = Traces("api")
    traces.tell(WITHIN, WORK)
    traces.close()
    assert {span.process for span in told.spans} == {"releases"}


@pytest.mark.parametrize("within", ["", "nonsense", f"00-{TRACE}-{CALLER}-00"], ids=["none", "nonsense", "not sampled"])
def test_what_belongs_to_no_trace_that_is_told_is_not_told(told, within):
    traces = Traces("worker")
    traces.tell(within, WORK)
    traces.close()
    assert told.spans == []


def test_the_sampler_is_the_one_that_was_given(told, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    traces = Traces("worker")
    traces.tell(WITHIN, WORK)
    traces.close()
    assert told.spans == []


def test_nobody_waits_for_a_collector_that_never_answers(told, monkeypatch):
    """Neither who tells of more than is kept, nor the end of the process: nothing is answered until the test ends."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "16")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8")
    told.deaf = True
    telemetry = PrometheusTelemetry(traces := Traces("worker"))
    for _ in range(100):
        telemetry.trace(WITHIN, WORK)
    told.until(lambda: told.unanswered)
    for _ in range(100):
        telemetry.trace(WITHIN, WORK)
    traces.close()
    assert told.spans == []
    assert told.unanswered == 1, "the first request still waits for its answer"
    assert not told.hears.is_set()


def test_nor_for_one_that_is_not_there(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    telemetry = PrometheusTelemetry(traces := Traces("worker"))
    telemetry.trace(WITHIN, WORK)
    traces.close()


def test_telling_never_fails():
    class Broken:
        def tell(self, within: str, work: Work) -> None:
            raise RuntimeError(within)

    PrometheusTelemetry(Broken()).trace(WITHIN, WORK)
