"""One PostgreSQL for a test run, and a new database in it for whoever needs an empty one."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

_numbers = count(1)


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """The URL of an empty database that is gone afterwards."""
    name = f"test_{next(_numbers)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()
