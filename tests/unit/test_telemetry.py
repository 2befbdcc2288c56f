"""Our own metrics and logs: what is told, and that telling never gets in anybody's way."""

import ast
import io
import json
import logging
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from prometheus_client import CollectorRegistry, Gauge

import delivery
from delivery.adapters.telemetry import logs
from delivery.adapters.telemetry.exposition import render, serve, visible
from delivery.adapters.telemetry.memory import MemoryTelemetry
from delivery.adapters.telemetry.metrics import METRICS, Kind
from delivery.adapters.telemetry.prometheus import PrometheusTelemetry
from delivery.ports.telemetry import Telemetry

ENGINE = Path(delivery.__file__).parent / "engine"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, handlers, level = logging.getLogger(), list(logging.getLogger().handlers), logging.getLogger().level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def shown(telemetry: PrometheusTelemetry) -> str:
    return render(visible(telemetry.registry)).decode()


def test_counts_and_distributions_are_shown_under_our_prefix():
    telemetry = PrometheusTelemetry()
    telemetry.count("steps", event="Started")
    telemetry.count("steps", 2, event="Started")
    telemetry.count("quarantined")
    telemetry.observe("lateness", 0.2)
    text = shown(telemetry)
    assert 'delivery_steps_total{event="Started"} 3.0' in text
    assert "delivery_quarantined_total 1.0" in text
    assert 'delivery_lateness_bucket{le="0.1"} 0.0' in text
    assert 'delivery_lateness_bucket{le="0.25"} 1.0' in text
    assert "_created" not in text


@pytest.mark.parametrize(
    "wrong",
    [
        lambda telemetry: telemetry.count("no_such_thing"),
        lambda telemetry: telemetry.count("steps", colour="red"),
        lambda telemetry: telemetry.count("steps"),
        lambda telemetry: telemetry.count("lateness"),
        lambda telemetry: telemetry.observe("steps", 1.0, event="Started"),
        lambda telemetry: telemetry.count("quarantined", -1),
    ],
    ids=["unknown", "other label", "label missing", "counted distribution", "observed counter", "negative"],
)
def test_a_mistake_is_logged_once_and_never_raised(wrong, stream):
    logs.configure("test", stream=stream)
    telemetry = PrometheusTelemetry()
    wrong(telemetry)
    wrong(telemetry)
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert (line["event"], line["level"]) == ("metric_dropped", "error")


def calls_of_the_engine() -> list[tuple[str, str, tuple[str, ...]]]:
    """(count or observe, metric, labels) of every call in the engine's source."""
    found = []
    for path in sorted(ENGINE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in ("count", "observe") and "telemetry" in ast.unparse(node.func.value):
                assert isinstance(node.args[0], ast.Constant), f"{path}: a metric's name is written out"
                labels = tuple(sorted(str(keyword.arg) for keyword in node.keywords if keyword.arg != "amount"))
                found.append((node.func.attr, str(node.args[0].value), labels))
    return found


def test_everything_that_the_engine_tells_is_in_the_table_with_its_labels():
    calls = calls_of_the_engine()
    assert len(calls) > 5
    for how, name, labels in calls:
        assert name in METRICS, name
        assert METRICS[name].kind is (Kind.COUNTER if how == "count" else Kind.HISTOGRAM), name
        assert tuple(sorted(METRICS[name].labels)) == labels, name


def test_a_scrape_on_loopback_shows_our_own_and_what_is_added():
    telemetry, more = PrometheusTelemetry(), CollectorRegistry()
    telemetry.count("quarantined")
    server = serve(visible(telemetry.registry, [Gauge("extra", "", registry=more)]), 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
    assert server.server_address[0] == "127.0.0.1"
    assert "delivery_quarantined_total 1.0" in text
    assert "extra 0.0" in text


def test_processes_that_share_a_directory_add_up(tmp_path):
    program = (
        "import sys; from delivery.adapters.telemetry.prometheus import PrometheusTelemetry as T\n"
        "from delivery.adapters.telemetry.exposition import render, visible\n"
        "t = T(); t.count('quarantined', int(sys.argv[1])); sys.stdout.buffer.write(render(visible(t.registry)))"
    )
    scrapes = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", program, str(amount)],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for amount in (2, 3)
    ]
    assert "delivery_quarantined_total 2.0" in scrapes[0]
    assert "delivery_quarantined_total 5.0" in scrapes[1]


def test_a_line_is_json_with_its_ids_and_an_error_makes_it_a_warning(stream):
    logs.configure("worker", stream=stream)
    telemetry = PrometheusTelemetry()
    telemetry.log("moved", release="rel_1", seq=4)
    telemetry.log("mesh_unavailable", cluster="prod-eu", error="timeout")
    moved, down = map(json.loads, stream.getvalue().splitlines())
    assert (moved["event"], moved["release"], moved["seq"], moved["level"]) == ("moved", "rel_1", 4, "info")
    assert (moved["service"], moved["timestamp"][-1]) == ("worker", "Z")
    assert (down["level"], down["cluster"]) == ("warning", "prod-eu")


def test_lines_of_libraries_look_the_same(stream):
    logs.configure("worker", stream=stream)
    with structlog.contextvars.bound_contextvars(delivery="d-1"):
        logging.getLogger("some.library").info("took %d ms", 7, extra={"release": "rel_1"})
    line = json.loads(stream.getvalue())
    assert (line["event"], line["release"], line["delivery"]) == ("took 7 ms", "rel_1", "d-1")
    assert line["logger"] == "some.library"


def test_a_library_with_handlers_of_its_own_is_brought_into_line(stream):
    own = logging.getLogger("uvicorn.error")
    before, own.handlers, own.propagate = (own.handlers, own.propagate), [logging.StreamHandler(io.StringIO())], False
    try:
        logs.configure("api", stream=stream)
        own.info("Application startup complete.")
    finally:
        own.handlers, own.propagate = before
    assert json.loads(stream.getvalue())["service"] == "api"


def test_lines_for_every_message_stay_out(stream):
    logs.configure("worker", stream=stream)
    logging.getLogger("celery.worker.strategy").info("Task delivery.drain received")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("plain", [True, False])
def test_a_traceback_shows_no_variables(stream, plain):
    logs.configure("worker", stream=stream, plain=plain)
    secret = "hunter" + "2"
    try:
        raise ValueError("bad " + str(len(secret)))
    except ValueError:
        logging.getLogger("x").exception("failed")
    assert "ValueError: bad 7" in stream.getvalue()
    assert secret not in stream.getvalue()


def test_configured_twice_a_line_is_told_once(stream):
    logs.configure("worker", stream=stream)
    logs.configure("worker", stream=stream)
    logging.getLogger("x").warning("once")
    assert len(stream.getvalue().splitlines()) == 1


def test_the_one_for_tests_keeps_everything():
    telemetry: Telemetry = MemoryTelemetry()
    telemetry.count("steps", event="Started")
    telemetry.count("steps", event="Started")
    telemetry.observe("lateness", 0.5)
    telemetry.log("moved", seq=1)
    assert isinstance(telemetry, MemoryTelemetry)
    assert telemetry.counts["steps", (("event", "Started"),)] == 2
    assert telemetry.values == {"lateness": [0.5]}
    assert telemetry.lines == [("moved", {"seq": 1})]
