"""Reading what happened."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select

from delivery.adapters.ledger.sql import coding
from delivery.adapters.ledger.sql.tables import ALERT, EVENT, INBOX, MEASURING, RELEASE, SERVICE, STOP, TARGET, WORKER
from delivery.adapters.ledger.sql.targets import RELEASES, ROWS
from delivery.adapters.ledger.sql.ticks import TickRecords
from delivery.model.codec import StoredEvent
from delivery.model.ids import Micros, ReleaseId
from delivery.model.since import READS
from delivery.ports.errors import TooNew
from delivery.ports.history import Filter
from delivery.ports.rows import Alert, InboxState, Measuring, Row, StoredRelease

_R = RELEASE.c
_MEASURED = MEASURING.c
_MARK = (
    select(
        _R.head, _R.erased, _MEASURED.tick, _MEASURED.dseq, _MEASURED.evidence, TARGET.c.version, SERVICE.c.revision,
        select(func.count()).select_from(STOP).scalar_subquery(),
        select(func.max(STOP.c.since)).scalar_subquery(),
    )
    .select_from(RELEASE)
    .outerjoin(MEASURING, _MEASURED.release == _R.id)
    .outerjoin(TARGET, TARGET.c.id == _R.target)
    .outerjoin(SERVICE, SERVICE.c.name == _R.service)
)  # fmt: skip


class SqlHistory(TickRecords):
    """The port History. Reads one state of the database at a time and locks nothing."""

    def page(self, only: Filter, per_page: int, before: ReleaseId | None = None) -> tuple[StoredRelease, ...]:
        query = RELEASES.where(*_conditions(only)).order_by(_R.id.desc()).limit(per_page)
        if before is not None:
            query = query.where(_R.id < before)
        with self._database.read() as connection:
            return tuple(self._stored(connection, columns) for columns in connection.execute(query))

    def open_heads(self, most: int) -> Mapping[ReleaseId, int]:
        query = select(_R.id, _R.seq).where(~_R.closed).order_by(_R.id.desc()).limit(most)
        with self._database.read() as connection:
            return {ReleaseId(columns.id): columns.seq for columns in connection.execute(query)}

    def release(self, release: ReleaseId) -> StoredRelease | None:
        with self._database.read() as connection:
            found = connection.execute(RELEASES.where(_R.id == release)).one_or_none()
            return self._stored(connection, found) if found else None

    def mark(self, release: ReleaseId) -> str | None:
        with self._database.read() as connection:
            found = connection.execute(_MARK.where(_R.id == release)).one_or_none()
        return repr(tuple(found)) if found else None

    def by_number(self, service: str | None, number: int) -> tuple[StoredRelease, ...]:
        query = RELEASES.where(_R.number == number).order_by(_R.id)
        if service is not None:
            query = query.where(_R.service == service)
        with self._database.read() as connection:
            return tuple(self._stored(connection, columns) for columns in connection.execute(query))

    def events(self, release: ReleaseId, after: int = 0, limit: int = 1000) -> tuple[StoredEvent, ...]:
        query = select(EVENT).where(EVENT.c.release == release, EVENT.c.seq > after).order_by(EVENT.c.seq).limit(limit)
        with self._database.read() as connection:
            return tuple(coding.event_from(columns) for columns in connection.execute(query))

    def measuring(self, release: ReleaseId) -> Measuring | None:
        query = select(MEASURING).where(MEASURING.c.release == release)
        with self._database.read() as connection:
            found = connection.execute(query).one_or_none()
        return self._measured.read(found) if found else None

    def rows(self, service: str | None = None) -> tuple[Row, ...]:
        query = ROWS.order_by(TARGET.c.id)
        if service is not None:
            query = query.where(TARGET.c.service == service)
        with self._database.read() as connection:
            return tuple(_row(columns) for columns in connection.execute(query))

    def alerts(self, limit: int) -> tuple[Alert, ...]:
        query = select(ALERT).order_by(ALERT.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return tuple(coding.alert_from(columns) for columns in connection.execute(query))

    def dead_deliveries(self, most: int) -> int:
        dead = select(INBOX.c.key).where(INBOX.c.state == InboxState.DEAD.value).limit(most).subquery()
        with self._database.read() as connection:
            found: int = connection.execute(select(func.count()).select_from(dead)).scalar_one()
        return found

    def workers(self) -> Mapping[str, Micros]:
        query = select(WORKER.c.name, WORKER.c.heard_at).order_by(WORKER.c.name)
        with self._database.read() as connection:
            return {columns.name: Micros(columns.heard_at) for columns in connection.execute(query)}


def _row(columns: Any) -> Row:
    if columns.requires > READS:
        raise TooNew(columns.id)
    return coding.row_from(columns, columns.body)


def _conditions(only: Filter) -> list[ColumnElement[bool]]:
    equal = ((_R.service, only.service), (_R.cluster, only.cluster), (_R.actor, only.actor), (_R.version, only.version))
    conditions: list[ColumnElement[bool]] = [column == value for column, value in equal if value is not None]
    if only.states:
        conditions.append(or_(*map(_in_state, only.states)))
    if only.since is not None:
        conditions.append(_R.created_at >= only.since)
    if only.until is not None:
        conditions.append(_R.created_at < only.until)
    return conditions


def _in_state(state: str) -> ColumnElement[bool]:
    if state == "open":
        return ~_R.closed
    return _R.closed if state == "closed" else _R.phase == state
