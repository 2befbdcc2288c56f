"""What the parts of the SQL ledger share."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, Table, insert, or_, select

from delivery.adapters.ledger.sql.coding import Recent, release_from
from delivery.adapters.ledger.sql.engine import Database, Now
from delivery.adapters.ledger.sql.measured import Measured
from delivery.adapters.ledger.sql.shape import RELEASE_SHAPE
from delivery.adapters.ledger.sql.tables import EVENT
from delivery.adapters.ledger.units import Fold
from delivery.model.codec import Newer, unseal
from delivery.model.event import Event
from delivery.model.ids import Micros, ReleaseId
from delivery.model.release import Release
from delivery.ports.errors import TooNew
from delivery.ports.rows import BEYOND, StoredRelease

RELEASES_KEPT = 16_384


def past(time: Any, now: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a due time or a lease is over, or was set by a clock that has gone back since."""
    return or_(time <= now, time > now + BEYOND)


class Moved(Exception):
    """A statement found fewer rows as they were expected than it had to."""


def change(connection: Connection, statement: Executable, values: list[dict[str, Any]]) -> None:
    """Each of these must find its row as it was expected. Raises Moved."""
    if values and connection.execute(statement, values).rowcount != len(values):
        raise Moved


def add(connection: Connection, table: Table, values: Sequence[dict[str, Any]]) -> None:
    if values:
        connection.execute(insert(table), values)


class Part:
    """`now` replaces the database's own clock, for tests and simulations."""

    def __init__(self, url: str, fold: Fold, now: Now | None = None) -> None:
        self._database = Database(url, now)
        self._fold = fold
        self._measured = Measured()
        self._decoded: Recent[tuple[str, str, int], Release] = Recent(RELEASES_KEPT)

    def now(self) -> Micros:
        """The time that due times and leases go by. Raises Unavailable."""
        with self._database.read() as connection:
            return Micros(connection.execute(select(self._database.now())).scalar_one())

    def close(self) -> None:
        """Closes this process's connections."""
        self._database.close()

    def _stored(self, connection: Connection, columns: Any) -> StoredRelease:
        """The head names every byte of a release's history, and `erased` counts what was erased in it: a release is
        decoded once for each.
        """
        release = self._decoded.get(
            (columns.id, columns.head, columns.erased), lambda: self._decode(connection, columns)
        )
        return StoredRelease(release, columns.head)

    def _decode(self, connection: Connection, columns: Any) -> Release:
        """A snapshot of our own shape as it is; one that another version wrote anew from its events.

        Raises TooNew where that version is newer, and these events say what this one does not know.
        """
        if columns.shape == RELEASE_SHAPE:
            return release_from(columns.body)
        try:
            return self._fold(read_events(connection, columns.id, columns.seq))
        except Newer as error:
            raise TooNew(columns.id) from error


def read_events(connection: Connection, release: ReleaseId, seq: int) -> list[Event]:
    """Its events up to number `seq`."""
    query = (
        select(EVENT.c.body, EVENT.c.said).where(EVENT.c.release == release, EVENT.c.seq <= seq).order_by(EVENT.c.seq)
    )
    return [unseal(body, said or b"") for body, said in connection.execute(query)]
