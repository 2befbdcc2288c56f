"""Brings a database to the schema that this version of the code needs."""

from pathlib import Path

from alembic import command
from alembic.config import Config

import delivery
from delivery.adapters.ledger.sql.engine import Database


def upgrade(url: str) -> None:
    """To the newest revision; does nothing where it is there already. Several processes may call it at once."""
    database = Database(url)
    try:
        with database.write() as connection:
            config = Config()
            config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        database.close()


def scripts() -> Path:
    """The migrations: inside an installed package, beside it in a checkout."""
    package = Path(delivery.__file__).parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "alembic"
