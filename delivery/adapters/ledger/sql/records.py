"""The chain of what was done to the history itself."""

from typing import Any

from sqlalchemy import Connection, insert, select, text, tuple_

from delivery.adapters.ledger.sql.part import Part
from delivery.adapters.ledger.sql.tables import RECORD, RELEASE
from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.record import Ended, Entry, RecordKind, StoredRecord, chained

_C, _R = RECORD.c, RELEASE.c
ENDED = select(
    _R.id, _R.target, _R.number, _R.version, _R.phase, _R.created_at, _R.finished_at, _R.seq, _R.head
)  # fmt: skip


class Records(Part):
    def record(self, entry: Entry) -> StoredRecord:
        with self._database.write() as connection:
            return self._record(connection, entry)

    def _alone(self, connection: Connection) -> None:
        """Nobody else records anything until the end of the transaction; whoever reads is not kept waiting.

        What one looks at to record it has to be looked at after this. SQLite has one writer anyway.
        """
        if not self._database.sqlite:
            connection.execute(text("LOCK TABLE record IN SHARE ROW EXCLUSIVE MODE"))

    def _record(self, connection: Connection, entry: Entry) -> StoredRecord:
        self._alone(connection)
        now = Micros(connection.execute(select(self._database.now())).scalar_one())
        found = connection.execute(select(RECORD).order_by(_C.n.desc()).limit(1)).one_or_none()
        made = chained(record_from(found) if found else None, entry, now)
        values = {name: getattr(made, name) for name in ("n", "at", "subject", "body", "said", "prev", "hash")}
        connection.execute(insert(RECORD), {**values, "kind": made.kind.value})
        return made

    def records(self, after: int = 0, limit: int = 1000) -> tuple[StoredRecord, ...]:
        query = select(RECORD).where(_C.n > after).order_by(_C.n).limit(limit)
        with self._database.read() as connection:
            return tuple(record_from(columns) for columns in connection.execute(query))

    def last_record(self, kind: RecordKind, subject: str = "") -> StoredRecord | None:
        query = select(RECORD).where(_C.subject == subject, _C.kind == kind.value).order_by(_C.n.desc()).limit(1)
        with self._database.read() as connection:
            found = connection.execute(query).one_or_none()
        return record_from(found) if found else None

    def ended(
        self, since: Micros, until: Micros, most: int, after: tuple[Micros, ReleaseId] | None = None
    ) -> tuple[Ended, ...]:
        query = ENDED.where(_R.finished_at >= since, _R.finished_at < until).order_by(_R.finished_at, _R.id)
        if after is not None:
            query = query.where(later(*after))
        with self._database.read() as connection:
            return tuple(ended_from(columns) for columns in connection.execute(query.limit(most)))


def record_from(columns: Any) -> StoredRecord:
    return StoredRecord(
        columns.n, Micros(columns.at), RecordKind(columns.kind), columns.subject, columns.body, columns.said,
        columns.prev, columns.hash,
    )  # fmt: skip


def ended_from(columns: Any) -> Ended:
    return Ended(
        ReleaseId(columns.id), TargetId(columns.target), columns.number, columns.version, columns.phase,
        columns.created_at, columns.finished_at, columns.seq, columns.head,
    )  # fmt: skip


def later(at: int, release: str) -> Any:
    """Past that place in the order of ends."""
    return tuple_(_R.finished_at, _R.id) > tuple_(at, release)
