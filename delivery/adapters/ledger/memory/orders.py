"""Services, stops, heartbeats and named leases."""

from collections.abc import Collection

from delivery.adapters.ledger.memory.targets import Targets
from delivery.adapters.ledger.units import BEAT_KEPT, covers, past
from delivery.model.frozen import replace
from delivery.model.ids import Micros
from delivery.ports.rows import Seen, ServiceRecord, StopOrder


class Orders(Targets):
    def put_service(self, record: ServiceRecord, seen: Seen | None = None) -> bool:
        with self._transaction() as journal:
            stored = self._tables.services.get(record.name)
            if record.revision != (stored.revision if stored else 0) + 1 or not self._as_seen(record.name, seen):
                return False
            journal.put(self._tables.services, record.name, record)
            for target in self.targets(record.name):
                row = self._tables.rows[target]
                journal.put(self._tables.rows, target, replace(row, version=row.version + 1))
            return True

    def _as_seen(self, service: str, seen: Seen | None) -> bool:
        return seen is None or seen == {one: self._tables.rows[one].version for one in self.targets(service)}

    def services(self, names: Collection[str] | None = None) -> tuple[ServiceRecord, ...]:
        with self._lock:
            stored = self._tables.services
            return tuple(stored[name] for name in sorted(stored) if names is None or name in names)

    def service(self, name: str) -> ServiceRecord | None:
        with self._lock:
            return self._tables.services.get(name)

    def delete_service(self, name: str, seen: Seen | None = None) -> bool:
        with self._transaction() as journal:
            if not self._as_seen(name, seen):
                return False
            journal.drop(self._tables.services, name)
            for target in self.targets(name):
                self._make_due(target, None, "the service was deleted")
            return True

    def stops(self) -> tuple[StopOrder, ...]:
        with self._lock:
            return tuple(self._tables.stops[scope] for scope in sorted(self._tables.stops))

    def put_stop(self, order: StopOrder) -> None:
        with self._transaction() as journal:
            journal.put(self._tables.stops, order.scope, order)
            self._wake_covered(order.scope, "a stop was ordered")

    def lift_stop(self, scope: str) -> None:
        with self._transaction() as journal:
            if scope in self._tables.stops:
                journal.drop(self._tables.stops, scope)
                self._wake_covered(scope, "a stop was lifted")

    def _wake_covered(self, scope: str, why: str) -> None:
        now = self._clock.now()
        for target, row in list(self._tables.rows.items()):
            if covers(scope, row.target.cluster, self._tables.services.get(row.target.service)):
                self._make_due(target, now, why)

    def beat(self, worker: str, detail: str) -> None:
        with self._transaction() as journal:
            now = self._clock.now()
            journal.put(self._tables.workers, worker, (now, detail))
            for name, (heard, _) in list(self._tables.workers.items()):
                if heard < now - BEAT_KEPT:
                    journal.drop(self._tables.workers, name)

    def lease(self, name: str, owner: str, lasts: Micros) -> bool:
        with self._transaction() as journal:
            now = self._clock.now()
            holder, until = self._tables.leases.get(name, (owner, Micros(0)))
            if holder != owner and not past(until, now):
                return False
            journal.put(self._tables.leases, name, (owner, Micros(now + lasts)))
            return True
