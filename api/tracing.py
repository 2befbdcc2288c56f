"""Requests in traces: those that ask for a change. What only looks would hide them, and its addresses say who looks."""

from collections.abc import MutableMapping
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace

_CHANGES = ("POST", "PUT", "DELETE")
_PATHS = ("/v1/", "/releases/", "/services/", "/stop")


def requests(provider: trace.TracerProvider | None) -> TelemetryConfig:
    """FastAPI's own spans, as HTTP's conventions have them: neither headers nor bodies. Its metrics are ours already,
    and its logs have texts of exceptions.
    """
    return TelemetryConfig(
        tracer_provider=provider,
        tracing=provider is not None,
        metrics=False,
        logs=False,
        operation_spans=False,
        auto_configure=False,
        exclude=_only_looks,
    )


def current() -> str:
    """The `traceparent` of the request that is being answered; nothing where requests are not traced."""
    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        return ""
    return f"00-{trace.format_trace_id(found.trace_id)}-{trace.format_span_id(found.span_id)}-{found.trace_flags:02x}"


def _only_looks(scope: MutableMapping[str, Any]) -> bool:
    return scope.get("method") not in _CHANGES or not scope["path"].startswith(_PATHS)
