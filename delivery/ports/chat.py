"""Port: telling people. One adapter per kind of channel."""

from dataclasses import dataclass
from typing import Protocol

from delivery.model.hold import HoldKind
from delivery.model.message import Message
from delivery.model.release import Release
from delivery.ports.errors import PortError


@dataclass(frozen=True, slots=True)
class Post:
    """A message with the release as it was right after it; `channel` is the adapter's own notion.

    `allowed` are the actions that the rules would take at that moment, `liftable` the holds that a resume may name.
    `mention` is who is called by name where somebody is needed, as the channel writes names. `paused` says who has the
    routes in hand, where that keeps what is told from being done.
    """

    channel: str
    message: Message
    release: Release
    service: str
    allowed: tuple[str, ...] = ()
    mention: str = ""
    liftable: tuple[HoldKind, ...] = ()
    paused: str | None = None


class Place(Protocol):
    """What is remembered of a release in a channel: where the chat has its one message about it."""

    @property
    def known(self) -> str | None:
        """What was noted last."""

    def note(self, at: str) -> None:
        """Stored at once, so that what fails afterwards posts no second message."""


class NotYet(PortError):
    """This channel has its limit: nothing is wrong, and other channels may go on."""

    def __init__(self, text: str, seconds: float) -> None:
        super().__init__(text)
        self.seconds = seconds


class Chat(Protocol):
    """Bounded in time. Raises NotYet, Unavailable (tried again later) or Refused (ends dead, with an alert)."""

    def deliver(self, post: Post, place: Place) -> None:
        """Delivers at least once."""
