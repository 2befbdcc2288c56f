"""Port: names of people out of what is stored, a bounded step at a time."""

from dataclasses import dataclass
from typing import Protocol

from delivery.model.erasure import Whom
from delivery.model.ids import Micros
from delivery.model.record import Entry


@dataclass(frozen=True, slots=True)
class Step:
    """`rows` were changed; `next` is where to go on, None where all was gone through."""

    rows: int
    next: str | None = None


class Erasure(Protocol):
    """Raises Unavailable. A step that is done twice changes nothing more."""

    def hindrances(self, whom: Whom) -> tuple[str, ...]:
        """What is still open and names them, as sentences for people; four eyes need names until it is over."""

    def erase_access(self, whom: Whom, at: Micros) -> Step:
        """Their tokens are revoked and their sessions closed; who handed out, revoked or applied; alerts; records."""

    def erase_deliveries(self, whom: Whom, after: str | None, most: int) -> Step:
        """Deliveries that were admitted or given up, at most `most` looked at: bodies that name them are emptied."""

    def erase_releases(self, whom: Whom, after: str | None, most: int, entry: Entry) -> Step:
        """Releases that are over, at most `most` looked at. Those of a step leave one record: `entry`, with what was
        rewritten added to its data.
        """
