"""Taking away what is old enough, a bounded batch at a time.

Releases are gone through once, in the order of their ends: a mark says how far. So a pass over a history that is kept
for ever costs nothing.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select, tuple_, update

from delivery.adapters.ledger.sql.measured import NO_TICKS
from delivery.adapters.ledger.sql.part import Part
from delivery.adapters.ledger.sql.records import later
from delivery.adapters.ledger.sql.tables import ALERT, INBOX, MEASURING, OUTBOX, RELEASE, RETENTION_MARK, SEGMENT
from delivery.adapters.ledger.sql.upsert import PUT_MARK
from delivery.adapters.ledger.units import parts_of
from delivery.model.ids import Micros, TargetId
from delivery.ports.retention import Batch
from delivery.ports.rows import InboxState, OutboxState

_R = RELEASE.c
TICKS = "ticks"


class Retention(Part):
    def drop_deliveries(self, before: Micros, most: int) -> Batch:
        states = (InboxState.DONE, InboxState.DISCARDED)
        return self._drop(INBOX, INBOX.c.state, states, INBOX.c.received_at, before, most)

    def drop_messages(self, before: Micros, most: int) -> Batch:
        states = (OutboxState.SENT, OutboxState.DISCARDED)
        return self._drop(OUTBOX, OUTBOX.c.state, states, OUTBOX.c.due_at, before, most)

    def _drop(
        self,
        table: Table,
        state: ColumnElement[str],
        states: Sequence[InboxState | OutboxState],
        time: ColumnElement[int],
        before: Micros,
        most: int,
    ) -> Batch:
        """One range of an index for each state."""
        key, rows = tuple_(*table.primary_key), 0
        with self._database.write() as connection:
            for one in states:
                old = select(*table.primary_key).where(state == one.value, time < before).order_by(time)
                rows += connection.execute(delete(table).where(key.in_(old.limit(most - rows)))).rowcount
        return Batch(rows, rows == most)

    def drop_alerts(self, before: Micros, most: int) -> Batch:
        """By their numbers, which rise with time: of the oldest few, those that are old enough."""
        first = select(ALERT.c.id).order_by(ALERT.c.id).limit(most)
        with self._database.write() as connection:
            old = delete(ALERT).where(ALERT.c.id.in_(first), ALERT.c.at < before)
            rows = connection.execute(old).rowcount
        return Batch(rows, rows == most)

    def drop_ticks(self, before: Micros, most: int) -> Batch:
        with self._database.write() as connection:
            passed = ended(connection, TICKS, before, most)
            if not passed:
                return Batch(0, more=False)
            ids, targets = [one.id for one in passed], sorted({one.target for one in passed})
            rows = connection.execute(delete(SEGMENT).where(SEGMENT.c.release.in_(ids))).rowcount
            rows += _drop_measuring(connection, targets, before)
            marked(connection, TICKS, passed[-1], sqlite=self._database.sqlite)
        return Batch(rows, len(passed) == most)


def marked(connection: Connection, mark: str, last: Any, *, sqlite: bool) -> None:
    """Notes that all releases up to this one, in the order of their ends, were gone through."""
    connection.execute(PUT_MARK[sqlite], {"name": mark, "at": last.finished_at, "release": last.id})


def ended(connection: Connection, mark: str, before: Micros, most: int) -> Sequence[Any]:
    """Releases past the mark that ended before that time, in the order of their ends."""
    query = select(RETENTION_MARK).where(RETENTION_MARK.c.name == mark)
    known = connection.execute(query).one_or_none()
    past = select(_R.id, _R.target, _R.finished_at).where(_R.finished_at < before)
    if known is not None:
        past = past.where(later(known.at, known.release))
    return connection.execute(past.order_by(_R.finished_at, _R.id).limit(most)).all()


def _drop_measuring(connection: Connection, targets: Collection[str], before: Micros) -> int:
    """All of these targets that is old, but where the gates of each target's newest measured release ended."""
    measured = select(_R.id).join_from(RELEASE, MEASURING, MEASURING.c.release == _R.id)
    over = measured.where(_R.target.in_(targets), _R.service.in_(services_of(targets)), _R.closed)
    newest = over.with_only_columns(func.max(_R.id)).group_by(_R.target)
    kept = list(connection.execute(newest).scalars())
    old = list(connection.execute(over.where(_R.finished_at < before)).scalars())
    if still := set(kept) & set(old):
        connection.execute(update(MEASURING).where(MEASURING.c.release.in_(still)).values(ticks=NO_TICKS))
    gone = set(old) - set(kept)
    return connection.execute(delete(MEASURING).where(MEASURING.c.release.in_(gone))).rowcount if gone else 0


def services_of(targets: Collection[str]) -> list[str]:
    """There is an index by service."""
    return sorted({parts_of(TargetId(target))[0] for target in targets})
