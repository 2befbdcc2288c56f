"""Which version of this service can read what: two of them work over one database while it is upgraded.

Every name that stored values can have (a type, a field, a member of an enum) is known since a format, a number. A
target's row says which format its bytes need (`requires`), and a version leaves rows alone that need more than it
READS. What was there before formats were counted is not listed: it needs 1.
"""

import typing
from collections.abc import Mapping
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


def needed(value: object) -> int:
    """The format that whoever reads this value's stored bytes has to know."""
    kind: Any = type(value)
    return walk(value, SINCE, stored=True) if _listed_below(kind) else FLOOR


def needed_by_file(service: object) -> int:
    """The format that whoever works with what a service file says has to know."""
    kind: Any = type(service)
    return walk(service, SINCE, stored=False) if _listed_below(kind) else FLOOR


@cache
def _listed_below(kind: Any) -> bool:
    """Whether something that is listed can be in a value of this type: mostly nothing is, and nothing is walked."""
    types = {kind.__name__ for kind in types_in(kind)}
    return any(name.partition(".")[0] in types for name in SINCE)


def walk(value: Any, since: Mapping[str, int], *, stored: bool) -> int:
    """As the two above, by this list. `stored`: a field counts where the codec writes it, which is everywhere but at a
    None by default; otherwise where it is not its default.
    """
    if isinstance(value, Enum):
        return since.get(f"{type(value).__name__}.{value.name}", FLOOR)
    if is_dataclass(value) and not isinstance(value, type):
        return _walk_fields(value, since, stored)
    if isinstance(value, Mapping):
        return max((walk(part, since, stored=stored) for pair in value.items() for part in pair), default=FLOOR)
    if isinstance(value, tuple | list | set | frozenset):
        return max((walk(item, since, stored=stored) for item in value), default=FLOOR)
    return FLOOR


def _walk_fields(value: Any, since: Mapping[str, int], stored: bool) -> int:
    found = since.get(type(value).__name__, FLOOR)
    for field in fields(value):
        inner, name = getattr(value, field.name), f"{type(value).__name__}.{field.name}"
        unsaid = inner == field.default if not stored or field.default is None else False
        if not unsaid:
            by_name = since.get(f"{name}={inner}", FLOOR) if isinstance(inner, str) else FLOOR
            found = max(found, since.get(name, FLOOR), by_name, walk(inner, since, stored=stored))
    return found


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
