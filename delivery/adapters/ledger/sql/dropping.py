"""Taking whole releases away. A record with the head of its chain stays of each."""

from collections.abc import Collection

from sqlalchemy import Connection, delete, func, select

from delivery.adapters.ledger.sql import coding
from delivery.adapters.ledger.sql.records import ENDED, Records, ended_from
from delivery.adapters.ledger.sql.retention import ended, marked, services_of
from delivery.adapters.ledger.sql.tables import EVENT, MEASURING, OUTBOX, POSTED, RELEASE, SEGMENT, TARGET
from delivery.adapters.ledger.sql.targets import ROWS
from delivery.adapters.ledger.units import named
from delivery.model.event import Phase
from delivery.model.ids import Micros
from delivery.model.record import dropped
from delivery.ports.retention import Batch
from delivery.ports.rows import OutboxState

_R = RELEASE.c
EVENTS = "events"


class Dropping(Records):
    def drop_releases(self, before: Micros, most: int) -> Batch:
        with self._database.write() as connection:
            self._alone(connection)
            passed = ended(connection, EVENTS, before, most)
            if not passed:
                return Batch(0, more=False)
            targets = sorted({one.target for one in passed})
            last = passed[-1].finished_at
            of_these = (_R.target.in_(targets), _R.service.in_(services_of(targets)))
            old = ENDED.where(*of_these, _R.closed, _R.finished_at <= last).order_by(_R.finished_at, _R.id)
            found = [ended_from(columns) for columns in connection.execute(old)]
            kept = _kept(connection, targets)
            gone = [one for one in found if one.release not in kept]
            for one in gone:
                self._record(connection, dropped(one))
            _drop(connection, [one.release for one in gone])
            marked(connection, EVENTS, passed[-1], sqlite=self._database.sqlite)
        return Batch(len(gone), len(passed) == most)


def _kept(connection: Connection, targets: Collection[str]) -> set[str]:
    """As the port says."""
    rows = [coding.row_from(row, row.body) for row in connection.execute(ROWS.where(TARGET.c.id.in_(targets)))]
    kept = {str(release) for row in rows for release in named(row)}
    newest = select(func.max(_R.id)).where(_R.target.in_(targets), _R.service.in_(services_of(targets)), _R.closed)
    promoted = newest.where(_R.phase == Phase.PROMOTED.value).group_by(_R.target)
    measured = newest.join_from(RELEASE, MEASURING, MEASURING.c.release == _R.id).group_by(_R.target)
    waiting = (OutboxState.WAITING.value, OutboxState.DEAD.value)
    for query in (promoted, measured, select(OUTBOX.c.release).where(OUTBOX.c.state.in_(waiting)).distinct()):
        kept.update(connection.execute(query).scalars())
    return kept


def _drop(connection: Connection, releases: list[str]) -> None:
    if not releases:
        return
    for table in (EVENT, SEGMENT, MEASURING, POSTED):
        connection.execute(delete(table).where(table.c.release.in_(releases)))
    for release in releases:  # by the primary key, which begins with the release
        connection.execute(delete(OUTBOX).where(OUTBOX.c.key > f"{release}:", OUTBOX.c.key < f"{release};"))
    connection.execute(delete(RELEASE).where(_R.id.in_(releases)))
