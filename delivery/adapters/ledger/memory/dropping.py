"""Taking whole releases away; the chain of what was done to the history itself."""

from collections.abc import Collection

from delivery.adapters.ledger.memory.retention import Retention, place
from delivery.adapters.ledger.memory.tables import Journal
from delivery.adapters.ledger.units import named
from delivery.model.event import Phase
from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.record import Ended, Entry, RecordKind, StoredRecord, chained, dropped
from delivery.ports.retention import Batch
from delivery.ports.rows import OutboxState, StoredRelease

EVENTS = "events"


class Dropping(Retention):
    def record(self, entry: Entry) -> StoredRecord:
        with self._transaction() as journal:
            return self._record(journal, entry)

    def _record(self, journal: Journal, entry: Entry) -> StoredRecord:
        last = self._tables.records.get(len(self._tables.records))
        made = chained(last, entry, self._clock.now())
        journal.put(self._tables.records, made.n, made)
        return made

    def records(self, after: int = 0, limit: int = 1000) -> tuple[StoredRecord, ...]:
        with self._lock:
            return tuple(one for n, one in sorted(self._tables.records.items()) if n > after)[:limit]

    def last_record(self, kind: RecordKind, subject: str = "") -> StoredRecord | None:
        with self._lock:
            found = (one for one in self._tables.records.values() if (one.kind, one.subject) == (kind, subject))
            return max(found, key=lambda one: one.n, default=None)

    def ended(
        self, since: Micros, until: Micros, most: int, after: tuple[Micros, ReleaseId] | None = None
    ) -> tuple[Ended, ...]:
        with self._lock:
            found = [_ended(stored) for stored in self._tables.releases.values() if stored.release.finished_at]
        found = [one for one in found if since <= one.finished_at < until and (after is None or _end(one) > after)]
        return tuple(sorted(found, key=_end)[:most])

    def drop_releases(self, before: Micros, most: int) -> Batch:
        with self._transaction() as journal:
            passed = self._ended(EVENTS, before, most)
            if not passed:
                return Batch(0, more=False)
            targets = {release.target for release in passed}
            stored = [one for one in self._tables.releases.values() if one.release.target in targets]
            over = [_ended(one) for one in stored if one.release.phase.closed and one.release.finished_at]
            kept = self._kept(targets)
            last = place(passed[-1])[0]
            gone = [one for one in sorted(over, key=_end) if one.finished_at <= last and one.release not in kept]
            for one in gone:
                self._record(journal, dropped(one))
                self._drop(journal, one.release)
            journal.put(self._tables.marks, EVENTS, place(passed[-1]))
        return Batch(len(gone), len(passed) == most)

    def _kept(self, targets: Collection[TargetId]) -> set[ReleaseId]:
        """As the port says."""
        tables = self._tables
        waiting = {row.release for row, _ in tables.outbox.values() if row.state in _WAIT}
        kept = waiting.union(*(named(tables.rows[target]) for target in targets))
        for target in targets:
            over = [
                one.release
                for one in tables.releases.values()
                if one.release.target == target and one.release.phase.closed
            ]
            kept |= {max((one.id for one in over if one.phase is Phase.PROMOTED), default=ReleaseId(""))}
            kept |= {max((one.id for one in over if one.id in tables.measuring), default=ReleaseId(""))}
        return kept

    def _drop(self, journal: Journal, release: ReleaseId) -> None:
        tables = self._tables
        journal.drop(tables.events, release)
        journal.drop(tables.segments, release)
        journal.drop(tables.measuring, release)
        journal.drop(tables.releases, release)
        for key in [key for key in tables.posted if key[0] == release]:
            journal.drop(tables.posted, key)
        for name in [name for name, (row, _) in tables.outbox.items() if row.release == release]:
            journal.drop(tables.outbox, name)


_WAIT = (OutboxState.WAITING, OutboxState.DEAD)


def _end(one: Ended) -> tuple[Micros, ReleaseId]:
    return one.finished_at, one.release


def _ended(stored: StoredRelease) -> Ended:
    release = stored.release
    assert release.finished_at is not None
    return Ended(
        release.id, release.target, release.number, release.candidate.version, release.phase.value, release.created_at,
        release.finished_at, release.seq, stored.head,
    )  # fmt: skip
