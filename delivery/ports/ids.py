"""Port: names that nothing else has."""

from typing import Protocol

from delivery.model.ids import ReleaseId


class Ids(Protocol):
    def release(self) -> ReleaseId:
        """`rel_` and a ULID: sorts by time of creation."""

    def salt(self) -> str:
        """32 hexadecimal digits that nobody can guess; empty where names are not to be stored apart."""

    def owner(self) -> str:
        """A name for one life of one worker process."""
