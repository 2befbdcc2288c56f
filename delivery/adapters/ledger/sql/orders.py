"""Services, stops, heartbeats and named leases."""

from collections.abc import Collection

from sqlalchemy import Connection, case, delete, or_, select, update

from delivery.adapters.ledger.sql import coding
from delivery.adapters.ledger.sql.part import Part, past
from delivery.adapters.ledger.sql.tables import LEASE, SERVICE, STOP, TARGET, WORKER
from delivery.adapters.ledger.sql.upsert import INSERT_LEASE, INSERT_SERVICE, PUT_STOP, PUT_WORKER
from delivery.adapters.ledger.units import BEAT_KEPT, covers
from delivery.model.ids import Micros, TargetId
from delivery.ports.rows import Seen, ServiceRecord, StopOrder

_C = TARGET.c


class Orders(Part):
    def put_service(self, record: ServiceRecord, seen: Seen | None = None) -> bool:
        with self._database.write() as connection:
            if not _as_seen(connection, record.name, seen) or not self._stored_next(connection, record):
                return False
            connection.execute(update(TARGET).where(_C.service == record.name).values(version=_C.version + 1))
            return True

    def _stored_next(self, connection: Connection, record: ServiceRecord) -> bool:
        values = coding.service_values(record)
        if record.revision == 1:
            return connection.execute(INSERT_SERVICE[self._database.sqlite], values).rowcount == 1
        before = (SERVICE.c.name == record.name, SERVICE.c.revision == record.revision - 1)
        return connection.execute(update(SERVICE).where(*before).values(values)).rowcount == 1

    def services(self, names: Collection[str] | None = None) -> tuple[ServiceRecord, ...]:
        with self._database.read() as connection:
            return self._services(connection, names)

    @staticmethod
    def _services(connection: Connection, names: Collection[str] | None = None) -> tuple[ServiceRecord, ...]:
        query = select(SERVICE).order_by(SERVICE.c.name)
        if names is not None:
            query = query.where(SERVICE.c.name.in_(list(names)))
        return tuple(coding.service_from(columns) for columns in connection.execute(query))

    def service(self, name: str) -> ServiceRecord | None:
        with self._database.read() as connection:
            found = connection.execute(select(SERVICE).where(SERVICE.c.name == name)).one_or_none()
        return coding.service_from(found) if found else None

    def delete_service(self, name: str, seen: Seen | None = None) -> bool:
        why = "the service was deleted"
        change = update(TARGET).where(_C.service == name)
        with self._database.write() as connection:
            if not _as_seen(connection, name, seen):
                return False
            connection.execute(delete(SERVICE).where(SERVICE.c.name == name))
            connection.execute(change.values(due_at=None, due_why=why, version=_C.version + 1))
            return True

    def stops(self) -> tuple[StopOrder, ...]:
        with self._database.read() as connection:
            return tuple(
                coding.stop_from(columns) for columns in connection.execute(select(STOP).order_by(STOP.c.scope))
            )

    def put_stop(self, order: StopOrder) -> None:
        values = {"scope": order.scope, "by": order.by, "reason": order.reason, "since": order.since}
        with self._database.write() as connection:
            connection.execute(PUT_STOP[self._database.sqlite], values)
            self._wake_covered(connection, order.scope, "a stop was ordered")

    def lift_stop(self, scope: str) -> None:
        with self._database.write() as connection:
            if connection.execute(delete(STOP).where(STOP.c.scope == scope)).rowcount:
                self._wake_covered(connection, scope, "a stop was lifted")

    def _wake_covered(self, connection: Connection, scope: str, why: str) -> None:
        """Due anew for everybody: a decision that is under way rests on what is no longer so, and must conflict."""
        records = {record.name: record for record in self._services(connection)}
        rows = connection.execute(select(_C.id, _C.service, _C.cluster).order_by(_C.id).with_for_update())
        ids = [row.id for row in rows if covers(scope, row.cluster, records.get(row.service))]
        now = self._database.now()
        values = {
            _C.due_at: case((_C.due_at < now, _C.due_at), else_=now),
            _C.woken_at: case((_C.owner == "", None), (_C.woken_at < now, _C.woken_at), else_=now),
            _C.due_why: why,
            _C.version: _C.version + 1,
        }
        connection.execute(update(TARGET).where(_C.id.in_(ids)).values(values))

    def beat(self, worker: str, detail: str) -> None:
        now = self._database.now()
        with self._database.write() as connection:
            statement = PUT_WORKER[self._database.sqlite].values(name=worker, heard_at=now, detail=detail)
            connection.execute(statement)
            connection.execute(delete(WORKER).where(WORKER.c.heard_at < now - BEAT_KEPT))

    def lease(self, name: str, owner: str, lasts: Micros) -> bool:
        now = self._database.now()
        free = or_(LEASE.c.owner == owner, past(LEASE.c.until, now))
        with self._database.write() as connection:
            connection.execute(INSERT_LEASE[self._database.sqlite], {"name": name, "owner": owner, "until": 0})
            take = update(LEASE).where(LEASE.c.name == name, free).values(owner=owner, until=now + lasts)
            return connection.execute(take).rowcount == 1


def _as_seen(connection: Connection, service: str, seen: Seen | None) -> bool:
    """Whether its targets are as somebody saw them; they stay so until the end of the transaction."""
    query = select(_C.id, _C.version).where(_C.service == service).order_by(_C.id).with_for_update()
    now = {TargetId(row.id): row.version for row in connection.execute(query)}
    return seen is None or seen == now
