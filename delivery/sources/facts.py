"""Facts of an event, as triggers choose by them: short texts under plain names. Pure."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from delivery.model.ids import Micros, Principal
from delivery.model.notice import Happened, Notice
from delivery.sources import signing
from delivery.sources.errors import Malformed
from delivery.sources.times import micros

LONGEST = 500
_KEPT: tuple[str, ...] = ("commit", "run_url", "repository")
Payload = Mapping[str, Any]
Facts = Mapping[str, object]


def pick(payload: Payload, *path: str) -> Any:
    """What is there at a path; None where anything on the way is missing or no object."""
    found: Any = payload
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def told(facts: Facts) -> dict[str, str]:
    """Those that are there, as text. Longer ones than LONGEST are left out: no trigger is about them."""
    texts = {name: _text(value) for name, value in facts.items() if value is not None}
    return {name: text for name, text in texts.items() if 0 < len(text) <= LONGEST}


def notice(source: str, event: str, body: bytes, read: Callable[[], tuple[Facts, object, object]]) -> Notice:
    """The notice of an event whose sender signs the body alone: so the body is what it is known by.

    `read` gives its facts, who did it, and when. Raises Malformed.
    """
    facts, actor, at = read()
    if not isinstance(actor, str) or not 0 < len(actor) <= 128:
        raise Malformed("no_actor", f"this {event} does not say who is behind it")
    known = told(facts)
    origin = {name: known[name] for name in _KEPT if name in known}
    happened = Happened(event, known, Principal(actor), origin)
    fingerprint = hashlib.sha256(body).hexdigest()
    time = micros(at) if isinstance(at, str) else None
    return Notice(source, f"{event} {fingerprint[:40]}", fingerprint, happened, time)


def in_time(found: Notice, now: Micros) -> Notice:
    """The notice. Raises Malformed for one of the future: every later event would be older than it, and be ignored."""
    if found.time is not None and found.time > now + signing.TOLERANCE:
        raise Malformed("in_the_future", "the event's time is in the future: is the sender's clock right?")
    return found


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
