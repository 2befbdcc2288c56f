"""Port: telling people. One adapter per kind of channel."""

from dataclasses import dataclass
from typing import Protocol

from delivery.model.message import Message
from delivery.model.release import Release


@dataclass(frozen=True, slots=True)
class Post:
    """A message with the release as it was right after it; `channel` is the adapter's own notion.

    `allowed` are the actions that the rules would take at that moment. `mention` is who is called by name where
    somebody is needed, as the channel writes names.
    """

    channel: str
    message: Message
    release: Release
    service: str
    allowed: tuple[str, ...] = ()
    mention: str = ""


class Chat(Protocol):
    """Bounded in time. Raises Unavailable (tried again later) or Refused (ends dead, with an alert)."""

    def deliver(self, post: Post, posted: str | None) -> str | None:
        """Delivers at least once.

        `posted` is what the last delivery about this release to this channel returned: where its message is, for a
        chat that edits it in place.
        """
