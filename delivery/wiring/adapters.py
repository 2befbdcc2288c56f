"""What a configuration names, made of what it says."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from delivery.ports.errors import Refused
from delivery.registry import UnknownName, choose
from delivery.settings import Adapter

T = TypeVar("T")


def make(table: Mapping[str, Callable[..., T]], adapter: Adapter, place: str, *around: Any) -> T:
    """The adapter. Raises UnknownName for a kind that is not there, or arguments that it does not take."""
    chosen = choose(table, adapter.kind, f"{place} kind")
    try:
        return chosen(*around, **adapter.arguments)
    except (TypeError, ValueError, Refused) as error:
        raise UnknownName(f"{place}: {error}") from error
