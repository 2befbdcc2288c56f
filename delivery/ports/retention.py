"""Port: taking away what is old enough, a bounded batch at a time.

What somebody still waits for is never taken: deliveries and messages that are dead or wait, anything of a release that
is open, and where a target's gates ended last, which the next release may be compared with.
"""

from dataclasses import dataclass
from typing import Protocol

from delivery.model.ids import Micros
from delivery.model.record import Entry, StoredRecord


@dataclass(frozen=True, slots=True)
class Batch:
    """`rows` were taken away. `more`: there may be more of them now."""

    rows: int
    more: bool


class Retention(Protocol):
    """Raises Unavailable. Each call is one short transaction that touches no row which a drain or a person writes."""

    def drop_deliveries(self, before: Micros, most: int) -> Batch:
        """Deliveries received before that time that were admitted or given up, the oldest first."""

    def drop_messages(self, before: Micros, most: int) -> Batch:
        """Rows of the outbox due before that time that were sent or given up, the oldest first."""

    def drop_alerts(self, before: Micros, most: int) -> Batch:
        """Alerts raised before that time, the oldest first."""

    def drop_ticks(self, before: Micros, most: int) -> Batch:
        """What was measured in at most `most` releases that ended before that time, in the order of their ends.

        Where the gates of a target's newest measured release ended stays until a newer one was measured and is over.
        """

    def drop_releases(self, before: Micros, most: int) -> Batch:
        """Releases that ended before that time, with all of theirs, of at most `most` that were not gone through yet.

        Each leaves a record with the head of its chain. These stay: what a target names (the active, the queued and the
        last release, that of the last write, those of a rollback window), its newest promotion, its newest measured
        release, and one with messages that wait for somebody. They go when later releases have taken their place.
        """

    def record(self, entry: Entry) -> StoredRecord:
        """Appends to the chain of what was done to the history itself, at the database's time."""
