"""Stored bytes: canonical JSON of frozen values, their schema number, and the hash chain over them.

The chain hashes the bytes as stored, so databases must keep them as bytes or text, never as a JSON type.
"""

import hashlib
import json
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

from delivery.model.event import EVENTS, Event
from delivery.model.ids import ReleaseId
from delivery.model.plan import Plan
from delivery.model.said import apart, together

T = TypeVar("T")
SCHEMA = 1
UPCASTERS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""Schema n -> a function that turns an event of n into one of n + 1."""
GENESIS = "0" * 64
PLANS_KEPT = 4096
_PLANS: dict[int, "_Written"] = {}
EVENT_TYPES = {event.__name__: event for event in EVENTS}
_write = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False).encode
_read = json.JSONDecoder().decode


class CodecError(ValueError):
    """Stored bytes that this version cannot read; says where."""


class Newer(CodecError):
    """A name that this version has never heard of: a newer one stored it."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A plan in plain values, and as JSON."""

    plan: Plan
    plain: dict[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One link of a release's chain: `hash` is over `prev` and `body`; `seq` starts at 1 and has no gaps.

    `said` has the names and words of people, which `body` has only a commitment to: see `delivery.model.said`.
    """

    release: ReleaseId
    seq: int
    at: int
    type: str
    body: bytes
    prev: str
    hash: str
    said: bytes = b""

    @property
    def event(self) -> Event:
        """Raises CodecError."""
        return unseal(self.body, self.said)


def canon(value: object) -> bytes:
    """The canonical bytes of a plain or dataclass value: sorted keys, no spaces, UTF-8."""
    if isinstance(value, Plan):
        return _written(value).text.encode()
    return _text(to_plain(value), getattr(value, "plan", None)).encode()


def digest(value: object) -> str:
    """SHA-256 over the canonical bytes, in hex."""
    return hashlib.sha256(canon(value)).hexdigest()


def seal(release: ReleaseId, seq: int, prev: str, event: Event, salt: str) -> StoredEvent:
    """The event as it is stored, chained to `prev` (GENESIS for the first). Nobody can guess `salt`; without one what
    people said is in the body.
    """
    name, clear = type(event).__name__, b""
    document = {"schema": SCHEMA, "type": name, "data": to_plain(event)}
    if salt:
        document, clear = apart(type(event), document, salt)
    if isinstance(plan := getattr(event, "plan", None), Plan):
        body = _with(document, "data", _text(document["data"], plan)).encode()
    else:
        body = _write(document).encode()
    return StoredEvent(release, seq, event.at, name, body, prev, link(prev, body), clear)


def link(prev: str, body: bytes) -> str:
    """The hash of a link: over the hash before it and the stored bytes."""
    return hashlib.sha256(prev.encode() + b"\n" + body).hexdigest()


def unseal(body: bytes, said: bytes = b"") -> Event:
    """The event in stored bytes of this or any older schema. Raises CodecError; Newer for a schema or an event that
    this version has never heard of.
    """
    try:
        document = _read(body.decode())
        schema = document["schema"]
        if schema > SCHEMA or document["type"] not in EVENT_TYPES:
            raise Newer(f"a newer version stored this event: {body[:120]!r}")
        document = together(document, said)
        while schema < SCHEMA:
            document = UPCASTERS[schema](document)
            schema += 1
        kind = EVENT_TYPES[document["type"]]
        return from_plain(kind, document["data"])
    except CodecError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise CodecError(f"cannot read a stored event: {error!r} in {body[:120]!r}") from error


def to_plain(value: object) -> Any:
    """Dataclasses, enums, tuples and mappings as what JSON can hold. Fields that are None by default stay out."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return _as_plain_dataclass(value)
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {str(key): to_plain(item) for key, item in value.items()}
        return [[to_plain(key), to_plain(item)] for key, item in sorted(value.items())]
    if isinstance(value, tuple | list | set | frozenset):
        return [to_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no stored form")


def from_plain(kind: type[T], plain: object) -> T:
    """The inverse of to_plain for a dataclass or another type. Raises TypeError, KeyError or ValueError."""
    return cast(T, _decoder(cast(Any, kind))(plain))


@cache
def _plain_dataclass(kind: Any) -> Callable[[Any], dict[str, Any]]:
    """to_plain for this dataclass, made once from the types of its fields."""
    hints = typing.get_type_hints(kind)
    always = tuple((field.name, _plain(hints[field.name])) for field in fields(kind) if field.default is not None)
    others = tuple(
        (field.name, _plain(_without_none(hints[field.name]))) for field in fields(kind) if field.default is None
    )

    def plain(value: Any) -> dict[str, Any]:
        found = {name: make(getattr(value, name)) if make else getattr(value, name) for name, make in always}
        for name, make in others:
            if (item := getattr(value, name)) is not None:
                found[name] = make(item) if make else item
        return found

    return plain


def _as_plain_dataclass(value: object) -> dict[str, Any]:
    kind: Any = type(value)
    return _written(value).plain if isinstance(value, Plan) else _plain_dataclass(kind)(value)


def _written(plan: Plan) -> _Written:
    """Made once for each plan object: it is the largest part of every release, and never changes."""
    known = _PLANS.get(id(plan))
    if known is not None and known.plan is plan:
        return known
    if len(_PLANS) >= PLANS_KEPT:
        _PLANS.clear()
    plain = _plain_dataclass(cast(Any, Plan))(plan)
    made = _Written(plan, plain, _write(plain))
    _PLANS[id(plan)] = made
    return made


def _text(plain: Any, plan: object) -> str:
    """Plain values as JSON; if this plan is among them as `plan`, it is not written again."""
    if isinstance(plan, Plan) and isinstance(plain, dict):
        written = _written(plan)
        if plain.get("plan") is written.plain:
            return _with(plain, "plan", written.text)
    return _write(plain)


def _with(plain: dict[str, Any], name: str, text: str) -> str:
    """Plain values as JSON, with this text as the one called `name`."""
    before = _write({key: value for key, value in plain.items() if key < name})[1:-1]
    after = _write({key: value for key, value in plain.items() if key > name})[1:-1]
    return "{" + ",".join(part for part in (before, f'"{name}":{text}', after) if part) + "}"


def _plain(hint: Any) -> Callable[[Any], Any] | None:
    """What makes a value of this type plain; None where it is plain as it is."""
    hint = getattr(hint, "__supertype__", hint)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint in (bool, int, float, str):
        return None
    if is_dataclass(hint):
        return _as_plain_dataclass
    if origin is tuple:
        each = [_plain(arg) for arg in args if arg is not ...]
        if not any(each):
            return list
        if len(args) == 2 and args[1] is ... and (make := each[0]):
            return lambda value: [make(item) for item in value]
    return to_plain


def _without_none(hint: Any) -> Any:
    """X for `X | None`."""
    inner = [arg for arg in typing.get_args(hint) if arg is not type(None)]
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return inner[0] if is_union and len(inner) == 1 else hint


@cache
def _decoder(kind: Any) -> Callable[[Any], Any]:
    kind = getattr(kind, "__supertype__", kind)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _decode_optional(args)
    if origin is tuple:
        return _decode_tuple(args)
    if origin is not None and issubclass(origin, Mapping):
        return _decode_mapping(args)
    if is_dataclass(kind):
        return _decode_dataclass(cast(type, kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _decode_member(kind)
    return _decode_scalar(kind)


def _decode_member(kind: type[Enum]) -> Callable[[Any], Any]:
    members = {member.value: member for member in kind}

    def decode(plain: Any) -> Any:
        try:
            return members[plain]
        except KeyError:
            raise Newer(f"{kind.__name__} has no {plain!r} here") from None

    return decode


def _decode_scalar(kind: Any) -> Callable[[Any], Any]:
    if kind in (object, Any):
        return lambda plain: plain
    if kind is float:
        return float

    def scalar(plain: Any) -> Any:
        if type(plain) is not kind:
            raise TypeError(f"{kind.__name__} expected, not {plain!r}")
        return plain

    return scalar


def _decode_optional(args: tuple[Any, ...]) -> Callable[[Any], Any]:
    inner = [arg for arg in args if arg is not type(None)]
    if len(inner) != 1:
        raise TypeError(f"a stored union needs a tag: {args}")
    decode = _decoder(inner[0])
    return lambda plain: None if plain is None else decode(plain)


def _decode_tuple(args: tuple[Any, ...]) -> Callable[[Any], Any]:
    if len(args) == 2 and args[1] is ...:
        each = _decoder(args[0])
        return lambda plain: tuple(each(item) for item in plain)
    decoders = tuple(_decoder(arg) for arg in args)
    return lambda plain: tuple(decode(item) for decode, item in zip(decoders, plain, strict=True))


def _decode_mapping(args: tuple[Any, ...]) -> Callable[[Any], Any]:
    key, value = _decoder(args[0]), _decoder(args[1])
    return lambda plain: {key(k): value(v) for k, v in (plain.items() if isinstance(plain, dict) else plain)}


def _decode_dataclass(kind: type) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    decoders: dict[str, Callable[[Any], Any]] = {}

    def decode(plain: Any) -> Any:
        if not decoders:  # late, so that a type may hold itself
            decoders.update({field.name: _decoder(hints[field.name]) for field in fields(kind)})
        try:
            return kind(**{name: decoders[name](item) for name, item in plain.items()})
        except KeyError as error:
            raise Newer(f"{kind.__name__} has no {error} here") from None

    return decode
