"""Traces by OpenTelemetry, in batches from a thread of its own: what cannot be sent is dropped, nobody waits for it.

Imported only where traces are told: the library takes its time to load.
"""

import atexit
import threading
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from delivery.model.trace import TRACEPARENT
from delivery.ports.telemetry import Kind, Work

PACKAGE = "progressive-delivery"
LAST_WORDS = 2.0
"""Seconds that the end of a process may wait for what is still to be sent."""
_KINDS = {Kind.HANDS_ON: SpanKind.PRODUCER, Kind.TAKES_UP: SpanKind.CONSUMER, Kind.CALLS: SpanKind.CLIENT}


class Traces:
    """Over OTLP, as the variables of OpenTelemetry say; `part` names the process where they do not."""

    def __init__(self, part: str) -> None:
        self.provider = TracerProvider(resource=_resource(part), shutdown_on_exit=False)
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self.provider.get_tracer(PACKAGE, version(PACKAGE))
        self._ending = threading.Lock()
        atexit.register(self.close)

    def tell(self, within: str, work: Work) -> None:
        """Tells of work that is over. A trace that cannot be read is none."""
        parent = TraceContextTextMapPropagator().extract({TRACEPARENT: within}, Context())
        if get_current_span(parent).get_span_context().is_valid:
            self._tell(parent, work)

    def close(self) -> None:
        """Sends what is left, if that is a matter of moments. Harmless to repeat."""
        if self._ending.acquire(blocking=False):
            atexit.unregister(self.close)
            ending = threading.Thread(target=self.provider.shutdown, name="traces end", daemon=True)
            ending.start()
            ending.join(LAST_WORDS)

    def _tell(self, parent: Context, work: Work) -> None:
        span = self._tracer.start_span(
            work.name, parent, _KINDS[work.kind], dict(work.facts), start_time=_nanos(work.begun)
        )
        inside = set_span_in_context(span, parent)
        for part in work.parts:
            self._tell(inside, part)
        for moment in work.moments:
            span.add_event(moment.name, dict(moment.facts), _nanos(moment.at))
        if work.trouble:
            span.set_attribute("error.type", work.trouble)
            span.set_status(Status(StatusCode.ERROR))
        span.end(_nanos(work.ended))


def _resource(part: str) -> Resource:
    named = OTELResourceDetector().detect().attributes.get("service.name") or f"delivery-{part}"
    return Resource.create({"service.name": named, "service.version": version(PACKAGE)})


def _nanos(micros: int) -> int:
    return micros * 1000
