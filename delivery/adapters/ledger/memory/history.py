"""Reading what happened."""

from collections.abc import Iterable, Mapping

from delivery.adapters.ledger.memory.tables import Base
from delivery.adapters.ledger.units import parts_of
from delivery.model.codec import StoredEvent
from delivery.model.ids import Micros, ReleaseId
from delivery.model.release import Release
from delivery.model.shares import Shares
from delivery.model.since import READS
from delivery.model.verdict import Tick
from delivery.ports.errors import TooNew
from delivery.ports.history import Filter
from delivery.ports.rows import Alert, InboxState, Measuring, Row, StoredRelease


class History(Base):
    def page(self, only: Filter, per_page: int, before: ReleaseId | None = None) -> tuple[StoredRelease, ...]:
        with self._lock:
            found = [
                release
                for release, stored in self._tables.releases.items()
                if (before is None or release < before) and self._meets(stored.release, only)
            ]
            return tuple(self._tables.releases[release] for release in sorted(found, reverse=True)[:per_page])

    def open_heads(self, most: int) -> Mapping[ReleaseId, int]:
        return {stored.release.id: stored.release.seq for stored in self.page(Filter(states=("open",)), most)}

    def _meets(self, release: Release, only: Filter) -> bool:
        service, cluster = parts_of(release.target)
        state = {release.phase.value, "closed" if release.phase.closed else "open"}
        return (
            only.service in (None, service)
            and only.cluster in (None, cluster)
            and (not only.states or not state.isdisjoint(only.states))
            and only.actor in (None, release.actor)
            and only.version in (None, release.candidate.version)
            and (only.since is None or release.created_at >= only.since)
            and (only.until is None or release.created_at < only.until)
        )

    def release(self, release: ReleaseId) -> StoredRelease | None:
        with self._lock:
            return self._tables.releases.get(release)

    def mark(self, release: ReleaseId) -> str | None:
        tables = self._tables
        with self._lock:
            stored = tables.releases.get(release)
            if stored is None:
                return None
            measuring = tables.measuring.get(release)
            row = tables.rows.get(stored.release.target)
            service = tables.services.get(parts_of(stored.release.target)[0])
            measured = (measuring.tick, measuring.dseq, measuring.evidence) if measuring else ()
            known = (stored, *measured, row and row.version, service and service.revision)
            return repr((*known, *sorted((stop.scope, stop.since) for stop in tables.stops.values())))

    def by_number(self, service: str | None, number: int) -> tuple[StoredRelease, ...]:
        with self._lock:
            return tuple(
                stored
                for release, stored in sorted(self._tables.releases.items())
                if stored.release.number == number and service in (None, parts_of(stored.release.target)[0])
            )

    def events(self, release: ReleaseId, after: int = 0, limit: int = 1000) -> tuple[StoredEvent, ...]:
        with self._lock:
            return self._tables.events.get(release, ())[max(0, after) :][:limit]

    def measuring(self, release: ReleaseId) -> Measuring | None:
        with self._lock:
            return self._tables.measuring.get(release)

    def ticks(self, release: ReleaseId, after: int = 0, limit: int | None = None) -> tuple[Tick, ...]:
        with self._lock:
            segments = sorted(self._tables.segments.get(release, ()), key=lambda segment: segment.first)
            measuring = self._tables.measuring.get(release)
        kept: list[Iterable[Tick]] = [segment.ticks for segment in segments]
        kept.append(measuring.ticks if measuring else ())
        return tuple(tick for part in kept for tick in part if tick.number > after)[:limit]

    def shares(self, release: ReleaseId) -> Shares:
        return Shares().then(self.ticks(release))

    def rows(self, service: str | None = None) -> tuple[Row, ...]:
        with self._lock:
            rows = [row for _, row in sorted(self._tables.rows.items()) if service in (None, row.target.service)]
        for row in rows:
            if row.requires > READS:
                raise TooNew(row.target.id)
        return tuple(rows)

    def alerts(self, limit: int) -> tuple[Alert, ...]:
        with self._lock:
            newest = sorted(self._tables.alerts, reverse=True)[:limit]
            return tuple(self._tables.alerts[number] for number in newest)

    def dead_deliveries(self, most: int) -> int:
        with self._lock:
            return min(most, sum(row.state is InboxState.DEAD for row in self._tables.inbox.values()))

    def workers(self) -> Mapping[str, Micros]:
        with self._lock:
            return {worker: heard for worker, (heard, _) in sorted(self._tables.workers.items())}
