"""When something was written, in our monotonic time: what the proof of a push is measured from."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from delivery.adapters.mesh.istio.clock import Span

T = TypeVar("T")
SKEW = 2.0
"""Seconds: how far the API server's whole seconds may be from this machine's time."""


class Moments:
    """Of the writes of this process; of others it is known less well."""

    def __init__(self) -> None:
        self._spans: dict[tuple[str, str], tuple[Span, str | None]] = {}

    def during(self, key: str, token: str, write: Callable[[], T]) -> T:
        """Notes when the write was made."""
        first = time.monotonic()
        done = write()
        self._spans = {known: span for known, span in tuple(self._spans.items()) if known[0] != key}
        self._spans[(key, token)] = Span(first, time.monotonic()), _revision(done)
        return done

    def of(self, key: str, token: str, document: Mapping[str, Any]) -> Span:
        """When it was; for a write of another process, also of the same again, by what the API server noted."""
        span, revision = self._spans.get((key, token), (None, None))
        return span if span is not None and revision in (None, _revision(document)) else changed(document)

    def forget(self, key: str) -> None:
        self._spans = {known: span for known, span in tuple(self._spans.items()) if known[0] != key}


class Applied(Moments):
    """Of writes that somebody else carries out: what counts is when the cluster had them, and never when we asked."""

    def during(self, key: str, token: str, write: Callable[[], T]) -> T:
        return write()

    def of(self, key: str, token: str, document: Mapping[str, Any]) -> Span:
        return changed(document)


def _revision(written: object) -> str | None:
    """Of one object; several written at once have a token that no other write has."""
    return written["metadata"].get("resourceVersion") if isinstance(written, Mapping) else None


def changed(document: Mapping[str, Any]) -> Span:
    """When an object was last changed, by its managers' times: whole seconds of the API server's clock."""
    metadata = document["metadata"]
    told = [metadata.get("creationTimestamp"), *(each.get("time") for each in metadata.get("managedFields") or ())]
    newest = max((datetime.fromisoformat(text).timestamp() for text in told if text), default=time.time())
    at = time.monotonic() - (time.time() - newest)
    return Span(at - SKEW, at + 1 + SKEW)
