"""Port: telling other systems what became of releases. One adapter per kind of receiver."""

from dataclasses import dataclass
from typing import Protocol

from delivery.model.ids import Micros
from delivery.model.outward import Topic
from delivery.model.release import Release
from delivery.ports.chat import Place


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened. `id` is the same whenever it is told again, to whomever: receivers know it by that.

    `release` is as it was right after it; `text` is one sentence for people.
    """

    id: str
    topic: Topic
    at: Micros
    release: Release
    service: str
    cluster: str
    owners: tuple[str, ...]
    text: str


class Subscriber(Protocol):
    """Bounded in time. Raises Unavailable (told again later, in order) or Refused (ends dead, with an alert)."""

    def tell(self, fact: Fact, place: Place) -> None:
        """Tells at least once. `place` remembers what the receiver calls the release."""
