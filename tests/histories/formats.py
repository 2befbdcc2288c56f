"""What stored values are made of, by name, as it was when formats were first counted.

`python -m tests.histories.formats` prints the names as they are now.
"""

from collections.abc import Iterator
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

from delivery import registry
from delivery.model.event import EVENTS
from delivery.model.release import Release
from delivery.model.service import Service
from delivery.model.since import types_in
from delivery.model.target import Target

FIRST = Path(__file__).with_name("format_1.txt")


def names() -> Iterator[str]:
    """Of types, of their fields, of members of enums, and the kinds that go by name."""
    stored: set[Any] = set()
    for root in (*EVENTS, Release, Target, Service):
        types_in(root, stored)
    for kind in stored:
        yield kind.__name__
        members = [each.name for each in kind] if issubclass(kind, Enum) else [each.name for each in fields(kind)]
        yield from (f"{kind.__name__}.{member}" for member in members)
    yield from (f"GateSpec.kind={kind}" for kind in registry.GATES)
    yield from (f"Stage.strategy={kind}" for kind in registry.STRATEGIES)


def first() -> set[str]:
    return set(FIRST.read_text().split())


if __name__ == "__main__":
    print("\n".join(sorted(set(names()))))
