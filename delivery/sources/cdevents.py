"""CDEvents over CloudEvents: artifact.published, service.deployed and service.upgraded, signed as Standard Webhooks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote

from delivery.model.codec import digest
from delivery.model.ids import Micros, Principal
from delivery.model.notice import Happened, Notice
from delivery.sources import json_body, signing
from delivery.sources.errors import Malformed
from delivery.sources.facts import Payload, in_time, pick, told
from delivery.sources.times import micros

_TYPE: Final = re.compile(r"dev\.cdevents\.(artifact\.published|service\.deployed|service\.upgraded)\.\d+\.\d+\.\d+.*")
_VISIBLE: Final = re.compile(r"[!-~]{1,160}")


@dataclass(frozen=True, slots=True)
class CDEvents:
    """A configured source, its secrets as Standard Webhooks has them."""

    name: str
    secrets: Sequence[str] = field(repr=False)

    def receive_each(self, headers: Mapping[str, str], body: bytes, now: Micros) -> Sequence[tuple[Notice, bytes]]:
        """The notice in a request; none for an event that starts nothing here. Raises Unsigned or Malformed."""
        signing.verify(headers, body, self.secrets, now)
        return self.vouched(headers, body, now)

    def vouched(self, headers: Mapping[str, str], body: bytes, now: Micros) -> Sequence[tuple[Notice, bytes]]:
        """As `receive_each`, where its sender has proven itself otherwise."""
        payload = json_body.parse(body)
        found = _TYPE.fullmatch(str(payload.get("type", "")))
        if not found and not str(payload.get("type", "")).startswith("dev.cdevents."):
            raise Malformed("unknown_type", "this is no CDEvent in a structured CloudEvent", "/type")
        return [(in_time(_notice(self.name, payload), now), body)] if found else []

    def reread(self, body: bytes) -> Notice:
        """The notice in a body that was verified when it came. Raises Malformed."""
        return _notice(self.name, json_body.parse(body))


def _notice(name: str, payload: Payload) -> Notice:
    kind = _TYPE.fullmatch(str(payload.get("type", "")))
    source, event_id = str(payload.get("source", "")), str(payload.get("id", ""))
    if kind is None or not _VISIBLE.fullmatch(source) or not _VISIBLE.fullmatch(event_id):
        raise Malformed("invalid_event", "type, source and id make a CloudEvent one: each is visible text", "/id")
    subject = pick(payload, "data", "subject")
    if not isinstance(subject, Mapping):
        raise Malformed("invalid_event", "data.subject says what a CDEvent is about", "/data/subject")
    facts = told(_facts(kind[1], subject) | {"event_source": source})
    actor = pick(subject, "content", "user") or pick(payload, "data", "customData", "actor") or source
    happened = Happened(kind[1], facts, Principal(str(actor)[:128]), {"source": source, "delivery": event_id})
    at = payload.get("time") or pick(payload, "data", "context", "timestamp")
    key = f"{source} {event_id}".replace("%", "%25").replace("#", "%23")
    return Notice(name, key, digest(payload), happened, micros(at) if isinstance(at, str) else None)


def _facts(event: str, subject: Payload) -> dict[str, object]:
    """An artifact is its own subject; a service names the one that it runs."""
    if event == "artifact.published":
        return {"artifact": subject.get("id"), **package(str(subject.get("id", "")))}
    artifact = pick(subject, "content", "artifactId")
    environment = pick(subject, "content", "environment", "id")
    found = {"subject": subject.get("id"), "environment": environment, "artifact": artifact}
    return {**found, **package(str(artifact or ""))}


def package(url: str) -> dict[str, object]:
    """What a package URL says: `pkg:oci/checkout@sha256%3A9f2c?repository_url=ghcr.io/acme/checkout&tag=1.4.2`."""
    if not url.startswith("pkg:"):
        return {}
    whole, _, query = url.removeprefix("pkg:").partition("#")[0].partition("?")
    path, _, version = whole.partition("@")
    qualifiers = dict(parse_qsl(query))
    found = unquote(version)
    where, tag = qualifiers.get("repository_url"), qualifiers.get("tag")
    digest_of = found if found.startswith("sha256:") else None
    image = f"{where}@{digest_of}" if where and digest_of else f"{where}:{found}" if where and found else None
    name = unquote(path.rpartition("/")[2])
    label = tag or (None if digest_of else found or None)
    kind = path.partition("/")[0]
    return {"package": name, "type": kind, "tag": tag, "digest": digest_of, "image": image, "version": label}
