"""Brings a database to the schema that this version of the code needs."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

import delivery
from delivery.adapters.ledger.sql.engine import Database


def upgrade(url: str) -> None:
    """To the newest revision; does nothing where it is there already. Several processes may call it at once.

    A newer version's schema stays as it is: migrations only add, so that this version works with it too.
    """
    database = Database(url)
    try:
        with database.write() as connection:
            if not _ahead(connection):
                config = _config()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    finally:
        database.close()


def is_current(url: str) -> bool:
    """Whether the schema is this version's or a newer one's. Raises Unavailable where the database does not answer."""
    database = Database(url)
    try:
        with database.read() as connection:
            newest = set(ScriptDirectory.from_config(_config()).get_heads())
            return _ahead(connection) or _revisions(connection) == newest
    finally:
        database.close()


def scripts() -> Path:
    """The migrations: inside an installed package, beside it in a checkout."""
    package = Path(delivery.__file__).parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "alembic"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    return config


def _revisions(connection: Connection) -> set[str]:
    return set(MigrationContext.configure(connection).get_current_heads())


def _ahead(connection: Connection) -> bool:
    """Whether the database has a revision that this version has never heard of."""
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    return not _revisions(connection) <= known
