"""Names and words of people, kept apart from what is hashed, so that they can be erased and the chain still holds.

A stored document has in their place a commitment: the SHA-256 of the bytes `{"said": {path: value}, "salt": ...}` that
are stored beside it. Whoever has those bytes can prove them; without them the salt keeps names from being guessed.
After an erasure the bytes are `{"erased": [who], "said": {path: value}}`: they prove nothing, and say so.
"""

import hashlib
import json
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, cast

from delivery.model.ids import PERSONAL, Principal

Document = dict[str, Any]
_write = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def apart(kind: type, document: Document, salt: str) -> tuple[Document, bytes]:
    """The document without what is personal in its `data`, a value of `kind`; and the bytes that have it.

    A document that has nothing personal stays as it is, and the bytes are empty.
    """
    found: dict[str, Any] = {}
    data = document["data"]
    for path in personal(kind):
        data = _taken(data, path, ".".join(path), found)
    if not found:
        return document, b""
    clear = _write({"salt": salt, "said": found}).encode()
    return {**document, "data": data, "said": commitment(clear)}, clear


def together(document: Document, clear: bytes) -> Document:
    """The whole document again. Raises KeyError or ValueError where the bytes are missing."""
    if "said" not in document:
        return document
    whole = {name: value for name, value in document.items() if name != "said"}
    for path, value in json.loads(clear)["said"].items():
        whole["data"] = _put(whole["data"], path.split("."), value)
    return whole


def commitment(clear: bytes) -> str:
    return hashlib.sha256(clear).hexdigest()


def personal(kind: type) -> tuple[tuple[str, ...], ...]:
    """Where a dataclass has names and words of people, in values of values too."""
    return _personal(cast(Any, kind))


@cache
def _personal(kind: Any) -> tuple[tuple[str, ...], ...]:
    found: list[tuple[str, ...]] = []
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        inner = next((arg for arg in typing.get_args(hint) if arg is not type(None)), None)
        optional = inner is not None and type(None) in typing.get_args(hint)
        one = inner if optional else hint
        if one is Principal or PERSONAL in getattr(one, "__metadata__", ()):
            found.append((name,))
        elif isinstance(one, type) and is_dataclass(one) and fields(one):
            found += [(name, *path) for path in _personal(one)]
    return tuple(found)


def _taken(data: Document, path: tuple[str, ...], whole: str, found: Document) -> Document:
    """The data without what is at the path, which is put into `found` if it says anything."""
    first, *rest = path
    if not data.get(first):
        return data
    if rest:
        return {**data, first: _taken(data[first], tuple(rest), whole, found)}
    found[whole] = data[first]
    return {name: value for name, value in data.items() if name != first}


def _put(data: Mapping[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    first, *rest = path
    return {**data, first: _put(data[first], rest, value) if rest else value}
