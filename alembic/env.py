"""Runs migrations: on the connection that `delivery` hands over, or on `alembic -x url=...` by hand."""

from typing import Literal

from alembic import context
from sqlalchemy import Connection, text
from sqlmodel.sql.sqltypes import AutoString

from delivery.adapters.ledger.sql.engine import Database
from delivery.adapters.ledger.sql.tables import METADATA

LOCK = 7_203_117_401  # any number of our own, for PostgreSQL's advisory locks


def run(connection: Connection) -> None:
    """In the one transaction that is open: a schema is changed whole or not at all, by one process at a time."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        transactional_ddl=True,
        render_as_batch=True,  # SQLite alters a table by copying it
        render_item=plain,
    )
    context.run_migrations()


def plain(kind: str, item: object, _: object) -> str | Literal[False]:
    """A migration outlives the library that the tables are written with."""
    return "sa.String()" if kind == "type" and isinstance(item, AutoString) else False


handed_over = context.config.attributes.get("connection")
if handed_over is not None:
    run(handed_over)
else:
    database = Database(context.get_x_argument(as_dictionary=True)["url"])
    with database.write() as opened:
        run(opened)
    database.close()
