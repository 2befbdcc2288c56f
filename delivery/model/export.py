"""A history as lines of JSON that anybody can check without us: `docs/retention.md` says what is in them."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from delivery.model.codec import GENESIS, StoredEvent, link
from delivery.model.record import Ended, RecordKind, StoredRecord, dropped
from delivery.model.said import commitment

FORMAT = 1
_TOLD = ("target", "number", "version", "state", "events", "head")


class Writer:
    """Makes lines, and at the end the one that tells a whole file from one that was cut off."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()
        self._lines = 0

    def head(self, about: Mapping[str, object]) -> bytes:
        return self._line({"delivery_export": FORMAT, **about})

    def release(self, ended: Ended) -> bytes:
        return self._line({"kind": "release", **dropped(ended).data})

    def event(self, stored: StoredEvent) -> bytes:
        own = {"release": stored.release, "seq": stored.seq, "at": stored.at, "type": stored.type}
        return self._line({"kind": "event", **own, **_link(stored)})

    def record(self, stored: StoredRecord) -> bytes:
        return self._line({"kind": "record", "n": stored.n, "at": stored.at, "type": stored.kind, **_link(stored)})

    def end(self) -> bytes:
        return self._line({"kind": "end", "lines": self._lines, "sha256": self._sum.hexdigest()})

    def _line(self, value: Mapping[str, object]) -> bytes:
        line = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._sum.update(line)
        self._lines += 1
        return line


def _link(stored: StoredEvent | StoredRecord) -> dict[str, str]:
    return {"body": stored.body.decode(), "said": stored.said.decode(), "prev": stored.prev, "hash": stored.hash}


@dataclass(slots=True)
class Checked:
    """What a check found. `wrong` has a sentence for each thing that cannot be so; with none of them all is proven, but
    what is counted as `erased`: events whose names and words are gone, `redacted`: those that were stored before names
    were apart, and of which only their place and a record of the erasure can be proven.
    """

    releases: int = 0
    events: int = 0
    records: int = 0
    erased: int = 0
    redacted: int = 0
    wrong: list[str] = field(default_factory=list)


class Check:
    """Goes through the lines of one or several exports; what one tells of a release must be what the others tell."""

    def __init__(self) -> None:
        self.found = Checked()
        self._heads: dict[str, tuple[Any, ...]] = {}  # what is told of releases
        self._records: dict[int, str] = {}
        self._rewritten: set[tuple[str, int, str]] = set()  # what records say that events are since an erasure
        self._altered: set[tuple[str, int, str]] = set()  # events that are not what their hash is over
        self._emptied: set[tuple[str, int, str]] = set()  # events that say that names were erased in them
        self._open: dict[str, Any] | None = None
        self._seq, self._prev = 0, GENESIS

    def file(self, name: str, lines: Iterable[bytes]) -> None:
        """One export, from its first line to its last."""
        total, number, ended = hashlib.sha256(), 0, False
        for number, line in enumerate(lines, start=1):
            if ended:
                self._say(f"{name}:{number}: there is more after the end")
                break
            try:
                value = json.loads(line)
                ended = value.get("kind") == "end"
                if ended and (value["lines"], value["sha256"]) != (number - 1, total.hexdigest()):
                    self._say(f"{name}: lines were taken out, put in or changed: the sum at its end is another")
                self._take(f"{name}:{number}", value)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                self._say(f"{name}:{number}: is no line of an export: {error!r}")
            total.update(line)
        self._close(name)
        if not ended:
            self._say(f"{name}: was cut off: its last line is not the end")

    def done(self) -> Checked:
        """After the last file."""
        self.found.redacted = len(self._altered & self._rewritten)
        self.found.erased = len(self._emptied & self._rewritten)
        for release, seq, _ in sorted((self._altered | self._emptied) - self._rewritten):
            self._say(f"event {seq} of {release} was changed")
        return self.found

    def _say(self, text: str) -> None:
        self.found.wrong.append(text)

    def _take(self, place: str, value: Mapping[str, Any]) -> None:
        kind = value.get("kind")
        if kind == "event":
            self._event(place, value)
            return
        self._close(place)
        if kind == "release":
            self.found.releases += 1
            self._tells(place, value)
            self._open, self._seq, self._prev = dict(value), 0, GENESIS
        elif kind == "record":
            self._record(place, value)
        elif kind != "end" and value["delivery_export"] != FORMAT:
            self._say(f"{place}: format {value['delivery_export']} is not known here")

    def _event(self, place: str, value: Mapping[str, Any]) -> None:
        release, seq, body = value["release"], value["seq"], value["body"].encode()
        if self._open is None or self._open["release"] != release:
            self._say(f"{place}: event {seq} of {release} is not below its release")
            return
        if (seq, value["prev"]) != (self._seq + 1, self._prev):
            self._say(f"{place}: the chain of {release} is broken at event {seq}")
        now = release, seq, hashlib.sha256(body + b"\n" + value["said"].encode()).hexdigest()
        if link(value["prev"], body) != value["hash"]:
            self._altered.add(now)
        elif self._said(place, value):
            self._emptied.add(now)
        if seq == 1:
            self._created(place, json.loads(body)["data"], self._open)
        self.found.events += 1
        self._seq, self._prev = seq, value["hash"]

    def _created(self, place: str, event: Mapping[str, Any], told: Mapping[str, Any]) -> None:
        """What is told of a release is what its first event, which its head proves, has."""
        known = event["target"], event["number"], event["candidate"]["version"]
        if known != (told["target"], told["number"], told["version"]):
            self._say(f"{place}: {told['release']} is another release than is told of")

    def _said(self, place: str, value: Mapping[str, Any]) -> bool:
        """What people said is what was committed to; whether it says that it was erased."""
        promised, said = json.loads(value["body"]).get("said"), value["said"]
        if (promised is None) != (not said):
            self._say(f"{place}: what people said is missing, or was added")
        elif said and "erased" in json.loads(said):
            return True
        elif said and commitment(said.encode()) != promised:
            self._say(f"{place}: what people said was changed")
        return False

    def _record(self, place: str, value: Mapping[str, Any]) -> None:
        body, n = value["body"].encode(), value["n"]
        before = self._records.get(n - 1, GENESIS if n == 1 else None)
        if link(value["prev"], body) != value["hash"] or before not in (None, value["prev"]):
            self._say(f"{place}: the chain of records is broken at record {n}")
        if before is None:
            self._say(f"{place}: record {n - 1} is missing")
        if self._records.setdefault(n, value["hash"]) != value["hash"]:
            self._say(f"{place}: record {n} is another one than before")
        self.found.records = len(self._records)
        self._said(place, value)
        data = json.loads(body)["data"]
        if value["type"] == RecordKind.DROPPED:
            self._tells(place, data)
        for release, seq, _, now in data.get("rewritten", ()):
            self._rewritten.add((release, seq, now))

    def _tells(self, place: str, data: Mapping[str, Any]) -> None:
        told = tuple(data[name] for name in _TOLD)
        if self._heads.setdefault(data["release"], told) != told:
            self._say(f"{place}: {data['release']} ended otherwise than is told elsewhere")

    def _close(self, place: str) -> None:
        """The end of a release's events: its head is the last one's hash."""
        if self._open is None:
            return
        if (self._prev, self._seq) != (self._open["head"], self._open["events"]):
            self._say(f"{place}: events of {self._open['release']} are missing: {self._open['events']} are told of")
        self._open = None


def released(ended: Ended, events: Iterable[StoredEvent], writer: Writer) -> Iterator[bytes]:
    """A release with all its events."""
    yield writer.release(ended)
    for event in events:
        yield writer.event(event)
