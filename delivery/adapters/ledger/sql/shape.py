"""The shape of a stored snapshot: another version of the code must not read what it would misunderstand."""

import typing
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from delivery.model.codec import SCHEMA, digest
from delivery.model.release import Release


def shape(kind: Any) -> str:
    """A digest over the names and types of all fields that a value of this type can hold."""
    found: dict[str, object] = {}
    _describe(kind, found)
    return digest([SCHEMA, sorted(found.items())])


def _describe(kind: Any, found: dict[str, object]) -> None:
    for inner in typing.get_args(kind):
        _describe(inner, found)
    if not isinstance(kind, type) or kind.__qualname__ in found:
        return
    if issubclass(kind, Enum):
        found[kind.__qualname__] = [str(member.value) for member in kind]
    elif is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        found[kind.__qualname__] = [[field.name, repr(hints[field.name])] for field in fields(kind)]
        for hint in hints.values():
            _describe(hint, found)


RELEASE_SHAPE = shape(Release)
