"""Atomic units: everything is checked first, then written."""

from collections.abc import Sequence

from delivery.adapters.ledger.memory.tables import NOBODY, Base, Journal
from delivery.adapters.ledger.units import asked_for, chains, changed, flaw, follows, row_of, running
from delivery.model.ids import ReleaseId, TargetId
from delivery.ports.rows import Committed, Result, Unit

_DONE = Committed(Result.DONE)
_CONFLICT = Committed(Result.CONFLICT)


class Commits(Base):
    def commit(self, units: Sequence[Unit]) -> tuple[Committed, ...]:
        with self._transaction() as journal:
            return tuple(self._commit(journal, unit) for unit in units)

    def _commit(self, journal: Journal, unit: Unit) -> Committed:
        wrong = flaw(unit)
        if not wrong and self._moved(unit):
            return _CONFLICT
        wrong = wrong or self._refusal(unit)
        if wrong:
            return Committed(Result.POISON, wrong)
        self._write_target(journal, unit)
        self._write_history(journal, unit)
        self._write_rest(journal, unit)
        return _DONE

    def _moved(self, unit: Unit) -> bool:
        """Whether what the unit rests on is no longer so."""
        tables = self._tables
        target = row_of(unit)
        if target is not None:
            row = tables.rows.get(target)
            if row is None or unit.expect not in (None, row.version) or unit.owner not in (None, row.owner):
                return True
        if unit.measuring and not follows(tables.measuring.get(unit.measuring.release), unit.measuring):
            return True
        keys = [(delivery.source, delivery.key) for delivery in unit.inbox]
        if len(set(keys)) < len(keys) or any(key in tables.inbox for key in keys):
            return True
        return any(
            events[0].seq > 1 and events[0].prev != self._head(release) for release, events in chains(unit).items()
        )

    def _head(self, release: ReleaseId) -> str | None:
        stored = self._tables.releases.get(release)
        return stored.head if stored else None

    def _refusal(self, unit: Unit) -> str:
        """What a database refuses by its constraints."""
        tables = self._tables
        for event in unit.events:
            if event.seq == 1 and event.release in tables.events:
                return f"{event.release} exists already"
        for segment in unit.segments:
            if any(segment.first == stored.first for stored in tables.segments.get(segment.release, ())):
                return f"{segment.release} has a segment from tick {segment.first} already"
        for target, ids in self._running_after(unit).items():
            if len(ids) > 1:
                return f"{target} would have several running releases: {', '.join(sorted(ids))}"
        return ""

    def _running_after(self, unit: Unit) -> dict[TargetId, set[ReleaseId]]:
        found: dict[TargetId, set[ReleaseId]] = {}
        for stored in unit.releases:
            target = stored.release.target
            if target not in found:
                found[target] = {self._tables.running[target]} if target in self._tables.running else set()
            found[target].discard(stored.release.id)
        for stored in unit.releases:
            if running(stored.release):
                found[stored.release.target].add(stored.release.id)
        return found

    def _write_target(self, journal: Journal, unit: Unit) -> None:
        target, tables = row_of(unit), self._tables
        if target is None:
            return
        stored = tables.rows[target]
        row = changed(stored, unit, tables.woken.get(target))
        journal.put(tables.rows, target, row)
        if unit.owner is None and stored.owner and (asked := asked_for(unit)) is not None:
            journal.put(tables.woken, target, min(asked, tables.woken.get(target, asked)))

    def _write_history(self, journal: Journal, unit: Unit) -> None:
        tables = self._tables
        for target, ids in self._running_after(unit).items():
            if ids:
                journal.put(tables.running, target, next(iter(ids)))
            else:
                journal.drop(tables.running, target)
        for stored in unit.releases:
            journal.put(tables.releases, stored.release.id, stored)
        for release, events in chains(unit).items():
            journal.put(tables.events, release, (*tables.events.get(release, ()), *events))
        if unit.measuring:
            journal.put(tables.measuring, unit.measuring.release, unit.measuring)
        for segment in unit.segments:
            known = tables.segments.get(segment.release, ())
            journal.put(tables.segments, segment.release, (*known, segment))

    def _write_rest(self, journal: Journal, unit: Unit) -> None:
        tables = self._tables
        for delivery in unit.inbox:
            journal.put(tables.inbox, (delivery.source, delivery.key), delivery)
        for outgoing in unit.outbox:
            if outgoing.key not in tables.outbox:
                self._keep_outgoing(outgoing, NOBODY)
        self._keep_alerts(unit.alerts)
