"""Inserts that say what happens to a row that exists. Both databases spell them alike, SQLAlchemy does not: each is
kept twice, by whether the database is SQLite.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Insert, Table, and_, or_
from sqlalchemy.dialects import postgresql, sqlite

from delivery.adapters.ledger.sql.tables import (
    API_TOKEN,
    INBOX,
    LEASE,
    MEASURING,
    OUTBOX,
    POSTED,
    RETENTION_MARK,
    SERVICE,
    STOP,
    TARGET,
    WORKER,
)

Both = Mapping[bool, Insert]
_COUNTED = {"preserve_rowcount": True}  # for an INSERT the count is thrown away otherwise


def _new(table: Table) -> Both:
    """Leaves a row that exists as it is, and does not count it."""
    return {
        True: sqlite.insert(table).on_conflict_do_nothing().execution_options(**_COUNTED),
        False: postgresql.insert(table).on_conflict_do_nothing().execution_options(**_COUNTED),
    }


def _put(table: Table, condition: Any = None) -> Both:
    """Replaces the row of the same primary key. `condition(stored, new)` leaves it alone where it does not hold."""
    found: dict[bool, Insert] = {}
    for lite, make in ((True, sqlite.insert), (False, postgresql.insert)):
        statement: Any = make(table)
        found[lite] = statement.on_conflict_do_update(
            index_elements=[column.name for column in table.primary_key],
            set_={column.name: statement.excluded[column.name] for column in table.c if not column.primary_key},
            where=condition(table.c, statement.excluded) if condition else None,
        ).execution_options(**_COUNTED)
    return found


def _next_look(stored: Any, new: Any) -> Any:
    """As `units.follows`."""
    nothing_new = and_(stored.tick == new.tick, stored.evidence == new.evidence)
    return and_(stored.dseq <= new.dseq, or_(stored.tick == new.tick - 1, nothing_new))


INSERT_TARGET = _new(TARGET)
INSERT_DELIVERY = _new(INBOX)
INSERT_OUTGOING = _new(OUTBOX)
PUT_MEASURING = _put(MEASURING, _next_look)
INSERT_SERVICE = _new(SERVICE)
INSERT_LEASE = _new(LEASE)
INSERT_TOKEN = _new(API_TOKEN)
PUT_MARK = _put(RETENTION_MARK)
PUT_POSTED = _put(POSTED)
PUT_STOP = _put(STOP)
PUT_WORKER = _put(WORKER)
