"""Port: telling people. One adapter per kind of channel."""

from dataclasses import dataclass
from typing import Protocol

from delivery.model.message import Message
from delivery.model.release import Release


@dataclass(frozen=True, slots=True)
class Post:
    """A message with the release as it was right after it; `channel` is the adapter's own notion."""

    channel: str
    message: Message
    release: Release
    service: str


class Chat(Protocol):
    """Bounded in time. Raises Unavailable (tried again later) or Refused (ends dead, with an alert)."""

    def deliver(self, post: Post) -> None:
        """Delivers at least once."""
