"""`replace` of frozen, slotted dataclasses, several times as fast as the standard library's.

A release has 47 fields, each event makes a new one, each commit copies rows: it was a quarter of the engine's time.
"""

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any

__all__ = ["replace"]

if TYPE_CHECKING:
    from dataclasses import replace
else:
    import dataclasses

    def replace(value: Any, **changes: Any) -> Any:
        """A copy with other values in some fields. Raises TypeError for a field that there is not."""
        kind = type(value)
        slots = _slots(kind)
        if slots is None:
            return dataclasses.replace(value, **changes)
        read, places, setters = slots
        found = list(read(value))
        for name, change in changes.items():
            if name not in places:
                raise TypeError(f"{kind.__name__} has no field {name}")
            found[places[name]] = change
        copy = object.__new__(kind)
        for put, field in zip(setters, found, strict=True):
            put(copy, field)
        return copy


_Slots = tuple[Callable[[Any], tuple[Any, ...]], dict[str, int], tuple[Callable[[Any, Any], None], ...]]


@cache
def _slots(kind: type) -> _Slots | None:
    """How to read all fields of this class, where each is, how to set it; None where making one is not only that."""
    names = [field.name for field in fields(kind)]
    members = [getattr(kind, name, None) for name in names]
    slots = [member for member in members if isinstance(member, MemberDescriptorType)]
    if len(names) < 2 or len(slots) < len(names) or hasattr(kind, "__post_init__"):
        return None
    return attrgetter(*names), {name: at for at, name in enumerate(names)}, tuple(slot.__set__ for slot in slots)
