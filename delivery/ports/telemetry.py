"""Port: what we tell about ourselves. Never raises, never blocks, never decides anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from delivery.model.ids import Micros

Facts = Mapping[str, str | int]
"""Ids are welcome; never a secret, nor a text that somebody sent."""


class Kind(StrEnum):
    HANDS_ON = "producer"  # leaves something behind for others to work on
    TAKES_UP = "consumer"  # works on what was left behind
    CALLS = "client"  # waits for another system


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened in the middle of a piece of work."""

    name: str
    at: Micros
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work that is over. `name` has few values; `trouble` names the kind of failure, where it failed."""

    name: str
    kind: Kind
    begun: Micros
    ended: Micros
    facts: Facts = field(default_factory=dict)
    trouble: str = ""
    moments: tuple[Moment, ...] = ()
    parts: tuple["Work", ...] = ()


class Telemetry(Protocol):
    @property
    def tracing(self) -> bool:
        """Whether traces are told to anybody. Where they are not, nobody needs to gather them."""

    def count(self, metric: str, amount: float = 1, **labels: str) -> None:
        """Adds to a counter."""

    def observe(self, metric: str, value: float, **labels: str) -> None:
        """Adds a value (seconds, where it is a time) to a distribution."""

    def log(self, event: str, **fields: object) -> None:
        """One structured line: release and delivery ids go in as fields."""

    def trace(self, within: str, work: Work) -> None:
        """Tells of work, with its parts, inside the trace that `within` (a `traceparent`) names."""
