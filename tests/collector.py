"""A receiver of traces on a real socket: OTLP over HTTP as protobuf, read with OpenTelemetry's own definitions."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

LIMIT = 30.0
Value = str | int | bool | float


@dataclass(frozen=True)
class Span:
    """`process` is the service.name of who told of it; `parent` is empty for the root."""

    process: str
    trace: str
    id: str
    parent: str
    name: str
    kind: str
    begun: int
    ended: int
    facts: Mapping[str, Value]
    moments: tuple[str, ...]
    failed: bool


class Collector:
    """While it is `deaf`, it takes requests and answers none."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.raw: list[bytes] = []
        self.url = ""
        self.deaf = False
        self.unanswered = 0
        self.hears = threading.Event()

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        self.raw.append(body)
        for resource in request.resource_spans:
            process = str(_facts(resource.resource.attributes).get("service.name", ""))
            for scope in resource.scope_spans:
                self.spans += [_span(process, span) for span in scope.spans]

    def of(self, trace: str) -> list[Span]:
        """Of one trace, in the order in which they began."""
        return sorted((span for span in self.spans if span.trace == trace), key=lambda span: span.begun)

    def until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < end, [(span.process, span.name, span.moments) for span in self.spans]
            time.sleep(0.02)


@contextmanager
def collector() -> Iterator[Collector]:
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.headers["content-type"] == "application/x-protobuf"
            if found.deaf:
                found.unanswered += 1
                found.hears.wait()
                return
            found.take(body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: pytest shows what fails."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield found
    finally:
        found.hears.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _span(process: str, span: trace_pb2.Span) -> Span:
    return Span(
        process,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        _facts(span.attributes),
        tuple(event.name for event in span.events),
        span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
    )


def _facts(attributes: Iterable[KeyValue]) -> dict[str, Value]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: AnyValue) -> Value:
    found: Value = getattr(value, value.WhichOneof("value") or "string_value")
    return found
