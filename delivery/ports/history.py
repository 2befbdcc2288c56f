"""Port: reading what happened, for people and programs. Never used to decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from delivery.model.codec import StoredEvent
from delivery.model.ids import Micros, ReleaseId
from delivery.model.record import Ended, RecordKind, StoredRecord
from delivery.model.shares import Shares
from delivery.model.verdict import Tick
from delivery.ports.rows import Alert, Measuring, Row, StoredRelease


@dataclass(frozen=True, slots=True)
class Filter:
    """All that are given must hold. `states` are phases, or "open" and "closed"."""

    service: str | None = None
    cluster: str | None = None
    states: tuple[str, ...] = ()
    actor: str | None = None
    version: str | None = None
    since: Micros | None = None
    until: Micros | None = None


class History(Protocol):
    """Raises Unavailable."""

    def page(self, only: Filter, per_page: int, before: ReleaseId | None = None) -> tuple[StoredRelease, ...]:
        """Newest first; `before` is the last id of the page before."""

    def open_heads(self, most: int) -> Mapping[ReleaseId, int]:
        """The number of the last event of each release that is not over, the newest so many of them."""

    def release(self, release: ReleaseId) -> StoredRelease | None: ...

    def mark(self, release: ReleaseId) -> str | None:
        """A text that is another one as soon as anything is that people are shown of it: an event, a tick, its target,
        its service's file, a stop. Costs one small read.
        """

    def by_number(self, service: str | None, number: int) -> tuple[StoredRelease, ...]:
        """Releases with this number; several where services or clusters share it."""

    def events(self, release: ReleaseId, after: int = 0, limit: int = 1000) -> tuple[StoredEvent, ...]:
        """In order, those with a number above `after`."""

    def measuring(self, release: ReleaseId) -> Measuring | None: ...

    def ticks(self, release: ReleaseId, after: int = 0, limit: int | None = None) -> tuple[Tick, ...]:
        """In order, from segments and from what is not in one yet, those with a number above `after`."""

    def shares(self, release: ReleaseId) -> Shares:
        """All ticks summed up. Asked again, only what is new since is read."""

    def rows(self, service: str | None = None) -> tuple[Row, ...]:
        """Targets' rows, by id."""

    def alerts(self, limit: int) -> tuple[Alert, ...]:
        """Newest first."""

    def dead_deliveries(self, most: int) -> int:
        """How many wait for a person, counted up to `most`."""

    def workers(self) -> Mapping[str, Micros]:
        """When each worker was last heard."""

    def ended(
        self, since: Micros, until: Micros, most: int, after: tuple[Micros, ReleaseId] | None = None
    ) -> tuple[Ended, ...]:
        """Releases that ended from `since` to before `until`, in that order, past the end and id `after`."""

    def records(self, after: int = 0, limit: int = 1000) -> tuple[StoredRecord, ...]:
        """What was done to the history itself, in order, those with a number above `after`."""

    def last_record(self, kind: RecordKind, subject: str = "") -> StoredRecord | None:
        """The newest of this kind about this subject."""
