"""Whether traces are told, by OpenTelemetry's own variables alone. Loads nothing of it: most have them off."""

import logging
from collections.abc import Mapping

PROTOCOL = "http/protobuf"

log = logging.getLogger(__name__)


def wanted(environ: Mapping[str, str]) -> bool:
    """An endpoint or an exporter is named, and nothing turns it off. What cannot be done is said, and then they are
    off: nobody's releases stand still because of a collector.
    """
    exporter, protocol = environ.get("OTEL_TRACES_EXPORTER", ""), _either(environ, "PROTOCOL") or PROTOCOL
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or exporter == "none":
        return False
    if not (exporter or _either(environ, "ENDPOINT")):
        return False
    if exporter not in ("", "otlp"):
        log.warning("no traces: OTEL_TRACES_EXPORTER is %r, and what there is, is otlp", exporter)
        return False
    if protocol != PROTOCOL:
        text = "no traces: the OTLP protocol is %r, and what there is, is %s: a collector has it at port 4318"
        log.warning(text, protocol, PROTOCOL)
        return False
    return True


def _either(environ: Mapping[str, str], name: str) -> str:
    return environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or environ.get(f"OTEL_EXPORTER_OTLP_{name}") or ""
