"""The generic dialect: CloudEvents 1.0 in structured JSON mode, signed as Standard Webhooks.

Binary mode is refused: it puts the event's id, source and time into headers, which no signature covers, so that
whoever sees one request could send it again as a new event.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from delivery.model.codec import digest
from delivery.model.fields import Fields
from delivery.model.frozen import replace
from delivery.model.ids import Micros
from delivery.model.mistake import Mistake
from delivery.model.notice import Notice
from delivery.model.scalars import pattern
from delivery.sources import json_body, release_request, signing
from delivery.sources.errors import Malformed
from delivery.sources.times import TIME, micros

RELEASE_REQUESTED = "delivery.release.requested.v1"
MEDIA_TYPES = ("application/cloudevents+json", "application/json")
_CORE = ("specversion", "id", "source", "type", "time", "datacontenttype", "data", "data_base64")
_ID: Final = pattern(r"[!-~]{1,100}", "text of at most 100 visible characters, one for each event")
_SOURCE: Final = pattern(r"[!-~]{1,160}", "a URI of at most 160 characters: what the event is about, or who says so")
_SPECVERSION: Final = pattern(r"1\.0", '"1.0"')
_JSON: Final = pattern("application/json", "application/json")
_TYPE: Final = pattern(re.escape(RELEASE_REQUESTED), RELEASE_REQUESTED)


@dataclass(frozen=True, slots=True)
class CloudEvents:
    """A configured source. `name` is how the server's configuration calls it, `secrets` are those of its senders."""

    name: str
    secrets: Sequence[str] = field(repr=False)

    def receive(self, headers: Mapping[str, str], body: bytes, now: Micros) -> Notice:
        """The notice in a request. Raises Unsigned or Malformed."""
        signing.verify(headers, body, self.secrets, now)
        return self._read(headers, body, now)

    def vouched(self, headers: Mapping[str, str], body: bytes, now: Micros) -> Sequence[tuple[Notice, bytes]]:
        """As `receive`, where its sender has proven itself otherwise."""
        return [(self._read(headers, body, now), body)]

    def _read(self, headers: Mapping[str, str], body: bytes, now: Micros) -> Notice:
        _check_mode(headers)
        notice = self.reread(body)
        if notice.time is not None and notice.time > now + signing.TOLERANCE:
            # Every later event would be older than it, and be ignored.
            raise Malformed("in_the_future", "the event's time is in the future: is the sender's clock right?", "/time")
        return notice

    def reread(self, body: bytes) -> Notice:
        """The notice in a body that was verified when it came. Raises Malformed."""
        return _notice(self.name, json_body.parse(body))


def _check_mode(headers: Mapping[str, str]) -> None:
    lower = {name.lower(): value for name, value in headers.items()}
    if "ce-specversion" in lower or "ce-id" in lower:
        text = "the event is in binary mode, whose attributes no signature covers: send structured mode"
        raise Malformed("binary_mode", f"{text} ({MEDIA_TYPES[0]})")
    media = lower.get("content-type", "").partition(";")[0].strip().lower()
    if media not in MEDIA_TYPES:
        raise Malformed("media_type", f"the content type is {media[:80] or 'missing'}; expected {MEDIA_TYPES[0]}")


def _notice(name: str, event: Mapping[str, Any]) -> Notice:
    # Attributes that are no part of the core are extensions, which every receiver lets pass.
    core = {key: value for key, value in event.items() if key in _CORE}
    fields = Fields(core)
    fields.refuse(["data_base64"], "is not understood: send the data as JSON")
    fields.get("specversion", _SPECVERSION)
    fields.get("datacontenttype", _JSON, None)
    kind = fields.get("type", _TYPE)
    source, event_id = fields.get("source", _SOURCE), fields.get("id", _ID)
    time = fields.get("time", TIME)
    at = micros(time)
    if time and at is None:
        fields.wrong("time", f"is {time!r}, which is no time", TIME.expected)
    says = release_request.read(fields.sub("data"))
    _refuse(fields.finish(), kind)
    says = replace(says, origin={**says.origin, "source": source, "delivery": event_id})
    return Notice(name, _key(source, event_id), digest(core), says, at)


def _refuse(mistakes: Sequence[Mistake], kind: str) -> None:
    if not mistakes:
        return
    code = "invalid_event" if kind else "unknown_type"
    first = next((mistake for mistake in mistakes if mistake.place == "type" and not kind), mistakes[0])
    raise Malformed(code, "; ".join(str(mistake) for mistake in mistakes), _pointer(first.place))


def _key(source: str, event_id: str) -> str:
    """What CloudEvents are told apart by. `#` is kept free for those who split one event into several rows."""
    return f"{source} {event_id}".replace("%", "%25").replace("#", "%23")


def _pointer(place: str) -> str:
    """A place as a JSON pointer."""
    return "".join(f"/{part}" for part in re.split(r"[.\[\]\"]+", place) if part)
