"""Somebody's name out of what is stored: pure, the same for every ledger.

Their name becomes a stand-in that is made by chance, the same everywhere, so that a history still tells one person from
another. What they typed is gone. Others' words stay, with the stand-in where they name them.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from delivery.model.codec import EVENT_TYPES, StoredEvent
from delivery.model.ids import Principal
from delivery.model.record import StoredRecord
from delivery.model.said import personal

GONE = "(erased)"
_WHO = ("actor", "by")
_TYPED = ("reason", "token")
"""Of what a release was started with."""
_write = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Whom:
    """`names`: all by which the person is known here, addresses and ids of chats too. `key` is made by chance."""

    names: tuple[str, ...]
    key: str
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """A name counts where it stands alone: `ann` is neither in `joanna` nor in `ann.lee` or `ann@example.org`."""
        any_of = "|".join(re.escape(name) for name in sorted(self.names, key=len, reverse=True))
        pattern = rf"(?<![\w+.-])(?<!\w@)(?:{any_of})(?![\w@+-]|\.\w)"
        object.__setattr__(self, "_pattern", re.compile(pattern, re.IGNORECASE))

    @property
    def stand_in(self) -> Principal:
        return Principal(f"erased person {self.key}")

    def is_(self, name: str) -> bool:
        return name.casefold() in {one.casefold() for one in self.names}

    def within(self, text: str) -> bool:
        return self._pattern.search(text) is not None

    def without(self, value: Any) -> Any:
        """A text, or what has texts in it, with the stand-in where the person is named."""
        if isinstance(value, str):
            return self._pattern.sub(self.stand_in, value)
        if isinstance(value, Mapping):
            return {self.without(name): self.without(one) for name, one in value.items()}
        if isinstance(value, Sequence):
            return [self.without(one) for one in value]
        return value

    def in_bytes(self, body: bytes) -> bool:
        """Whether a body, of whatever kind, names them; JSON may have the name escaped."""
        text = body.decode("utf-8", "replace")
        return self.within(text) or ("\\u" in text and self.within(_unescaped(text)))


def _unescaped(text: str) -> str:
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)


def rewritten(event: StoredEvent, whom: Whom) -> StoredEvent | None:
    """The event without them; None where it does not name them.

    Where names are apart only `said` changes, and the hash still is that of the body. Else the body does, and a record
    has to say so.
    """
    if event.said:
        document = json.loads(event.said)
        said = _without(document["said"], whom)
        if said == document["said"]:
            return None
        clear = {"erased": sorted({*document.get("erased", ()), whom.key}), "said": said}
        return replace(event, said=_write(clear).encode())
    document = json.loads(event.body)
    kind = EVENT_TYPES.get(document["type"])
    paths = [".".join(path) for path in personal(kind)] if kind is not None else []
    before = {path: found for path in paths if (found := _at(document["data"], path.split(".")))}
    after = _without(before, whom)
    if before == after:
        return None
    for path, value in after.items():
        document["data"] = _put(document["data"], path.split("."), value)
    return replace(event, body=_write(document).encode())


def without_by(record: StoredRecord, whom: Whom) -> StoredRecord | None:
    """The record without them as the one who did it; None where they did not."""
    if not whom.is_(record.by):
        return None
    clear = {"erased": [whom.key], "said": {"by": whom.stand_in}}
    return replace(record, said=_write(clear).encode())


def _without(said: Mapping[str, Any], whom: Whom) -> dict[str, Any]:
    """What people said in one event: their own words are gone, others' name the stand-in."""
    theirs = any(whom.is_(value) for path, value in said.items() if path.rpartition(".")[2] in _WHO)
    found: dict[str, Any] = {}
    for path, value in said.items():
        if path.rpartition(".")[2] in _WHO:
            found[path] = whom.stand_in if whom.is_(value) else value
        else:
            found[path] = _theirs(path, value, whom) if theirs else whom.without(value)
    return found


def _theirs(path: str, value: Any, whom: Whom) -> Any:
    """What the person typed is gone, and by which of their tokens they came; the way in stays."""
    if isinstance(value, Mapping):
        return {name: GONE if name in _TYPED else whom.without(one) for name, one in value.items()}
    if path.rpartition(".")[2] == "via":
        return whom.without(str(value).partition(" ")[0])
    return GONE


def _at(data: Mapping[str, Any], path: Sequence[str]) -> Any:
    first, *rest = path
    inner = data.get(first)
    return _at(inner, rest) if rest and inner else inner


def _put(data: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    first, *rest = path
    return {**data, first: _put(data[first], rest, value) if rest else value}
