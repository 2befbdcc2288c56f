"""Claims, snapshots and the fence's side of a row."""

from collections.abc import Collection, Mapping

from delivery.adapters.ledger.memory.tables import Base
from delivery.adapters.ledger.units import past, sooner
from delivery.model.frozen import replace
from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.release import Release
from delivery.model.since import READS
from delivery.ports.rows import Row, Snapshot, StoredRelease


class Targets(Base):
    def claim(self, clusters: Collection[str], owner: str, lease: Micros, limit: int) -> tuple[TargetId, ...]:
        with self._transaction() as journal:
            now = self._clock.now()
            due = [found for found in sorted(self._due(clusters, now)) if self._readable(found[2])][:limit]
            for _, _, target in due:
                row = self._tables.rows[target]
                journal.put(self._tables.rows, target, replace(row, owner=owner, lease_until=Micros(now + lease)))
                journal.drop(self._tables.woken, target)
            return tuple(target for _, _, target in due)

    def _due(self, clusters: Collection[str], now: Micros) -> list[tuple[bool, Micros, TargetId]]:
        """Due targets that nobody holds, as what they are sorted by."""
        return [
            (not row.urgent, row.due_at, target)
            for target, row in self._tables.rows.items()
            if row.due_at is not None
            and past(row.due_at, now)
            and past(row.lease_until, now)
            and row.target.cluster in clusters
        ]

    def lateness(self, clusters: Collection[str]) -> tuple[int, Micros]:
        with self._lock:
            now = self._clock.now()
            times = [due_at for _, due_at, _ in self._due(clusters, now) if due_at <= now]
            return len(times), Micros(now - min(times, default=now))

    def load(self, targets: Collection[TargetId]) -> Mapping[TargetId, Snapshot]:
        with self._lock:
            known = [target for target in targets if target in self._tables.rows and self._readable(target)]
            return {target: self._snapshot(self._tables.rows[target]) for target in known}

    def unreadable(self, targets: Collection[TargetId]) -> frozenset[TargetId]:
        with self._lock:
            return frozenset(target for target in targets if target in self._tables.rows and not self._readable(target))

    def require(self, service: str, least: int) -> None:
        with self._transaction() as journal:
            for target, row in tuple(self._tables.rows.items()):
                if row.target.service == service:
                    journal.put(self._tables.rows, target, replace(row, requires=max(row.requires, least)))

    def _readable(self, target: TargetId) -> bool:
        return self._tables.rows[target].requires <= READS

    def _snapshot(self, row: Row) -> Snapshot:
        target, tables = row.target, self._tables
        ids = [release for release in (target.active, *target.queue, target.last) if release in tables.releases]
        measuring = tables.measuring.get(target.active) if target.active else None
        return Snapshot(row, {release: tables.releases[release] for release in ids if release}, measuring)

    def holds(self, target: TargetId, owner: str, version: int) -> bool:
        with self._lock:
            row = self._tables.rows.get(target)
            return (
                row is not None and (row.owner, row.version) == (owner, version) and row.lease_until > self._clock.now()
            )

    def bump_epoch(self, target: TargetId, owner: str, version: int, above: int = 0) -> int | None:
        with self._transaction() as journal:
            if not self.holds(target, owner, version):
                return None
            row = self._tables.rows[target]
            row = replace(row, epoch=max(row.epoch, above) + 1, writer=owner)
            journal.put(self._tables.rows, target, row)
            return row.epoch

    def settle(
        self, target: TargetId, owner: str, settled: tuple[int, ReleaseId, int], content: str, at: Micros
    ) -> bool:
        with self._transaction() as journal:
            row = self._tables.rows.get(target)
            if row is None or (row.owner, row.epoch) != (owner, settled[0]):
                return False
            journal.put(self._tables.rows, target, replace(row, settled=settled, content=content, written_at=at))
            return True

    def create_target(self, row: Row) -> bool:
        with self._transaction() as journal:
            if row.target.id in self._tables.rows:
                return False
            journal.put(self._tables.rows, row.target.id, row)
            return True

    def targets(self, service: str) -> tuple[TargetId, ...]:
        with self._lock:
            return tuple(sorted(key for key, row in self._tables.rows.items() if row.target.service == service))

    def releases(self, ids: Collection[ReleaseId]) -> Mapping[ReleaseId, StoredRelease]:
        with self._lock:
            return {release: self._tables.releases[release] for release in ids if release in self._tables.releases}

    def head_at(self, release: ReleaseId, seq: int) -> str | None:
        with self._lock:
            events = self._tables.events.get(release, ())
            return events[seq - 1].hash if 1 <= seq <= len(events) else None

    def gates_before(self, release: Release) -> Mapping[str, object]:
        with self._lock:
            tables = self._tables
            earlier = [
                found
                for found, stored in tables.releases.items()
                if stored.release.target == release.target and found < release.id and found in tables.measuring
            ]
            return tables.measuring[max(earlier)].gates if earlier else {}

    def release_at(self, release: ReleaseId, seq: int) -> Release | None:
        with self._lock:
            events = self._tables.events.get(release, ())[: max(0, seq)]
        return self._fold(event.event for event in events) if events else None

    def _make_due(self, target: TargetId, due_at: Micros | None, why: str) -> None:
        """Due anew for everybody: a decision that is under way rests on what is no longer so, and must conflict."""
        row = self._tables.rows[target]
        due_at = None if due_at is None else sooner(row.due_at, due_at)
        changed = replace(row, due_at=due_at, due_why=why, version=row.version + 1)
        self._journal.put(self._tables.rows, target, changed)
        if row.owner and due_at is not None:
            self._journal.put(self._tables.woken, target, due_at)
