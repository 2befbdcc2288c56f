"""The chain of what was done to the history itself: releases taken away, names erased, exports. It is never cut."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from delivery.model.codec import GENESIS, StoredEvent, link
from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.said import commitment

_write = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
SCHEMA = 1


class RecordKind(StrEnum):
    DROPPED = "dropped"  # a release with its events: what they were, and the head of their chain
    ERASED = "erased"  # somebody's name and words in events: which ones, and what they are since
    EXPORTED = "exported"  # all that ended before a time is in somebody's hands


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One link: as a StoredEvent's, numbered from 1. `subject` is the release that it is about, or nothing."""

    n: int
    at: Micros
    kind: RecordKind
    subject: str
    body: bytes
    said: bytes
    prev: str
    hash: str

    @property
    def data(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(self.body)["data"]
        return found

    @property
    def by(self) -> str:
        """Who did it; empty where it was the service itself."""
        return str(json.loads(self.said)["said"]["by"]) if self.said else ""


@dataclass(frozen=True, slots=True)
class Ended:
    """A release that is over, by what stays of it."""

    release: ReleaseId
    target: TargetId
    number: int
    version: str
    phase: str
    created_at: Micros
    finished_at: Micros
    events: int
    head: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded. `by` is the person who did it, with a salt that nobody can guess."""

    kind: RecordKind
    data: Mapping[str, Any]
    subject: str = ""
    by: str = ""
    salt: str = ""


def chained(last: StoredRecord | None, entry: Entry, at: Micros) -> StoredRecord:
    """The entry as the link after the last one."""
    said = _write({"salt": entry.salt, "said": {"by": entry.by}}).encode() if entry.by else b""
    document = {"schema": SCHEMA, "type": entry.kind.value, "data": {**entry.data, "at": at}}
    body = _write({**document, "said": commitment(said)} if said else document).encode()
    prev = last.hash if last else GENESIS
    n = last.n + 1 if last else 1
    return StoredRecord(n, at, entry.kind, entry.subject, body, said, prev, link(prev, body))


def dropped(ended: Ended) -> Entry:
    data = {
        "release": ended.release,
        "target": ended.target,
        "number": ended.number,
        "version": ended.version,
        "state": ended.phase,
        "created_at": ended.created_at,
        "finished_at": ended.finished_at,
        "events": ended.events,
        "head": ended.head,
    }
    return Entry(RecordKind.DROPPED, data, ended.release)


def fingerprint(event: StoredEvent) -> str:
    """Of an event as it is stored now, with what people said in it."""
    return hashlib.sha256(event.body + b"\n" + event.said).hexdigest()
