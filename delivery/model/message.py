"""A message to people: which release, what happened. Wording turns it into a text."""

from dataclasses import dataclass

from delivery.model.event import Event
from delivery.model.ids import ReleaseId


@dataclass(frozen=True, slots=True)
class Message:
    """`topic` says what kind it is (the event's name, in snake_case); `call` means that somebody is needed now."""

    release: ReleaseId
    seq: int
    topic: str
    event: Event
    call: bool = False
