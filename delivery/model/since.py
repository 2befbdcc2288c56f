"""Which version of this service can read what: two of them work over one database while it is upgraded.

Every name that stored values can have (a type, a field, a member of an enum) is known since a format, a number. A
target's row says which format its bytes need (`requires`), and a version leaves rows alone that need more than it
READS. What was there before formats were counted is not listed: it needs 1.
"""

import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any

READS = 4
"""The newest format that this version reads."""
FLOOR = 1
"""What every row needs, whatever is in it: raised together with `codec.SCHEMA`."""
APART = 3
"""What a row needs that has events whose names are apart (`delivery.model.said`)."""
SINCE: Mapping[str, int] = {
    "Policy.approval": 2,
    "Baseline.FRESH": 4,
    "Traffic.baseline": 4,
    "StageEntered.compared": 4,
    "BaselineReady": 4,
    "BaselineReady.at": 4,
    "BaselineReady.share": 4,
    "BaselineLost": 4,
    "BaselineLost.at": 4,
    "BaselineLost.had_share": 4,
    "BaselineLost.detail": 4,
    "HoldKind.BASELINE_UNREADY": 4,
    "Release.baseline": 4,
    "Release.compared": 4,
}
"""`Type`, `Type.field`, `Type.field=text` or `Enum.MEMBER` -> the format that it came with; `=text` is for kinds that
are known by name, `GateSpec.kind=ratio`.
"""


class Formats:
    """Finds by such a list which format a value needs."""

    def __init__(self, since: Mapping[str, int]) -> None:
        self._since = since
        self._telling = cache(self._fields_that_tell)
        self.listed_below: Callable[[Any], bool] = cache(self._listed_below)

    def stored(self, value: Any) -> int:
        """Of its stored bytes: a field counts where the codec writes it, which is everywhere but at a None by default.

        Looks only where something listed can be: every event of every release comes by here.
        """
        if isinstance(value, Enum):
            return self._of_member(value)
        if is_dataclass(value) and not isinstance(value, type):
            found = self._since.get(type(value).__name__, FLOOR)
            for name, default, below in self._telling(type(value)):
                inner = getattr(value, name)
                if inner is not None or default is not None:
                    found = max(found, self._of_field(value, name, inner), self.stored(inner) if below else FLOOR)
            return found
        return max(map(self.stored, _parts(value)), default=FLOOR)

    def said(self, value: Any) -> int:
        """Of what a file says: a field counts where it is not its default."""
        if isinstance(value, Enum):
            return self._of_member(value)
        if is_dataclass(value) and not isinstance(value, type):
            found = self._since.get(type(value).__name__, FLOOR)
            for field in fields(value):
                inner = getattr(value, field.name)
                if inner != field.default:
                    found = max(found, self._of_field(value, field.name, inner), self.said(inner))
            return found
        return max(map(self.said, _parts(value)), default=FLOOR)

    def _listed_below(self, kind: Any) -> bool:
        """Whether something that is listed can be in a value of this type."""
        types = {kind.__name__ for kind in types_in(kind)}
        return any(name.partition(".")[0] in types for name in self._since)

    def _of_member(self, member: Enum) -> int:
        return self._since.get(f"{type(member).__name__}.{member.name}", FLOOR)

    def _of_field(self, value: Any, field: str, inner: Any) -> int:
        name = f"{type(value).__name__}.{field}"
        by_text = self._since.get(f"{name}={inner}", FLOOR) if isinstance(inner, str) else FLOOR
        return max(self._since.get(name, FLOOR), by_text)

    def _fields_that_tell(self, kind: Any) -> tuple[tuple[str, Any, bool], ...]:
        """Those that are listed or that something listed can be below of: name, default, and whether it can."""
        hints = typing.get_type_hints(kind)
        below = {field.name: self.listed_below(hints[field.name]) for field in fields(kind)}
        listed = {name.partition("=")[0] for name in self._since}
        return tuple(
            (field.name, field.default, below[field.name])
            for field in fields(kind)
            if below[field.name] or f"{kind.__name__}.{field.name}" in listed
        )


FORMATS = Formats(SINCE)


def needed(value: object) -> int:
    """The format that whoever reads this value's stored bytes has to know."""
    return FORMATS.stored(value) if FORMATS.listed_below(type(value)) else FLOOR


def needed_by_file(service: object) -> int:
    """The format that whoever works with what a service file says has to know."""
    return FORMATS.said(service) if FORMATS.listed_below(type(service)) else FLOOR


def _parts(value: Any) -> Iterable[Any]:
    """What is in a mapping or a sequence; nothing in anything else."""
    if isinstance(value, Mapping):
        return (part for pair in value.items() for part in pair)
    return value if isinstance(value, tuple | list | set | frozenset) else ()


def types_in(kind: Any, known: set[Any] | None = None) -> set[Any]:
    """Every dataclass and enum of which a value of this type can have one in it, itself included."""
    known = set() if known is None else known
    for inner in typing.get_args(kind):
        types_in(inner, known)
    kind = getattr(kind, "__supertype__", kind)
    if isinstance(kind, type) and kind not in known:
        if issubclass(kind, Enum):
            known.add(kind)
        elif is_dataclass(kind):
            known.add(kind)
            for hint in typing.get_type_hints(kind).values():
                types_in(hint, known)
    return known
