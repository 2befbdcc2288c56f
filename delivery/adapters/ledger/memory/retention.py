"""Taking away what is old enough."""

from collections.abc import Collection
from dataclasses import replace

from delivery.adapters.ledger.memory.tables import Base, Journal
from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.release import Release
from delivery.ports.retention import Batch
from delivery.ports.rows import InboxState, OutboxState

TICKS = "ticks"


class Retention(Base):
    def drop_deliveries(self, before: Micros, most: int) -> Batch:
        with self._transaction() as journal:
            old: list[tuple[str, str]] = []
            for state in (InboxState.DONE, InboxState.DISCARDED):
                rows = [row for row in self._tables.inbox.values() if row.state is state and row.received_at < before]
                old += [(row.source, row.key) for row in sorted(rows, key=lambda row: row.received_at)]
            for key in old[:most]:
                journal.drop(self._tables.inbox, key)
        return Batch(len(old[:most]), len(old) >= most)

    def drop_messages(self, before: Micros, most: int) -> Batch:
        with self._transaction() as journal:
            old: list[str] = []
            for state in (OutboxState.SENT, OutboxState.DISCARDED):
                rows = [row for row, _ in self._tables.outbox.values() if row.state is state and row.due_at < before]
                old += [row.key for row in sorted(rows, key=lambda row: row.due_at)]
            for key in old[:most]:
                journal.drop(self._tables.outbox, key)
        return Batch(len(old[:most]), len(old) >= most)

    def drop_alerts(self, before: Micros, most: int) -> Batch:
        with self._transaction() as journal:
            old = [number for number in sorted(self._tables.alerts)[:most] if self._tables.alerts[number].at < before]
            for number in old:
                journal.drop(self._tables.alerts, number)
        return Batch(len(old), len(old) == most)

    def drop_ticks(self, before: Micros, most: int) -> Batch:
        with self._transaction() as journal:
            passed = self._ended(TICKS, before, most)
            if not passed:
                return Batch(0, more=False)
            rows = 0
            for release in passed:
                rows += len(self._tables.segments.get(release.id, ()))
                journal.drop(self._tables.segments, release.id)
            rows += self._drop_measuring(journal, {release.target for release in passed}, before)
            journal.put(self._tables.marks, TICKS, place(passed[-1]))
        return Batch(rows, len(passed) == most)

    def _ended(self, mark: str, before: Micros, most: int) -> list[Release]:
        """Releases past the mark that ended before that time, in the order of their ends."""
        known = self._tables.marks.get(mark, (Micros(-1), ReleaseId("")))
        releases = (stored.release for stored in self._tables.releases.values())
        found = [one for one in releases if _ended_before(one, before) and place(one) > known]
        return sorted(found, key=place)[:most]

    def _drop_measuring(self, journal: Journal, targets: Collection[TargetId], before: Micros) -> int:
        """As in SQL."""
        rows = 0
        for target in targets:
            stored = (self._tables.releases.get(release) for release in self._tables.measuring)
            over = [one.release for one in stored if one and one.release.target == target and one.release.phase.closed]
            newest = max((release.id for release in over), default=None)
            for release in (one for one in over if _ended_before(one, before)):
                if release.id == newest:
                    kept = replace(self._tables.measuring[release.id], ticks=())
                    journal.put(self._tables.measuring, release.id, kept)
                else:
                    journal.drop(self._tables.measuring, release.id)
                    rows += 1
        return rows


def _ended_before(release: Release, before: Micros) -> bool:
    return release.finished_at is not None and release.finished_at < before


def place(release: Release) -> tuple[Micros, ReleaseId]:
    assert release.finished_at is not None
    return release.finished_at, release.id
