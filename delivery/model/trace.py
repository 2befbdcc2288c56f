"""The trace that something came by, as W3C writes it (`traceparent`): text, so that it is stored with what it began."""

TRACEPARENT = "traceparent"
"""Among what a release keeps of its origin."""


def trace_id(traceparent: str) -> str:
    """What people look a trace up by; nothing where there is none."""
    return traceparent[3:35]
