"""Connections: made on first use, one pool per process, and the database's errors in the port's words."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Engine, cast, create_engine, event, func, literal, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from delivery.model.ids import Micros
from delivery.ports.errors import Refused, Unavailable

Now = Callable[[], Micros]
BUSY_SECONDS = 5.0
STATEMENT_SECONDS = 10
CONNECT_SECONDS = 5
PLAIN = "the database does not answer"
_TAKEN_BACK = ("40001", "40P01")
"""PostgreSQL's codes of a serialization failure and of a deadlock."""
_BY_INDEX = "-c random_page_cost=1.1"
"""PostgreSQL's default is of spinning disks: it reads whole tables where a hundred rows of thousands are asked for."""


class TakenBack(Unavailable):
    """Nothing of the transaction was applied, because another one was in its way: it may be tried again at once."""


class Database:
    """`now` replaces the database's own clock, for tests and simulations."""

    def __init__(self, url: str, now: Now | None = None) -> None:
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        if not self.sqlite and self.url.get_backend_name() != "postgresql":
            raise ValueError(f"the ledger needs sqlite:///PATH or postgresql://..., not {self.url.get_backend_name()}")
        if self.sqlite and self.url.database in (None, "", ":memory:"):
            raise ValueError("the ledger needs a file: sqlite:///PATH")
        self._now = now
        self._opening = threading.Lock()
        self._opened: _Opened | None = None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, and undone where anything is raised. Raises Unavailable."""
        opened = self._open()
        with opened.one_writer, in_port_words(), opened.writing.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database. Raises Unavailable."""
        with in_port_words(), self._open().reading.connect() as connection:
            yield connection

    def now(self) -> ColumnElement[int]:
        """The time that due times and leases go by. SQLite is on our machine, so its clock is ours.

        A subquery in PostgreSQL: read once for the statement, so that an index can be searched by it.
        """
        if self._now is not None:
            return literal(self._now(), BigInteger)
        if self.sqlite:
            return literal(time.time_ns() // 1000, BigInteger)
        return select(cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)).scalar_subquery()

    def close(self) -> None:
        """Closes this process's connections. They are made anew when they are needed again."""
        with self._opening:
            opened, self._opened = self._opened, None
        if opened and opened.pid == os.getpid():
            opened.writing.dispose()

    def _open(self) -> "_Opened":
        opened = self._opened
        if opened is None or opened.pid != os.getpid():
            with self._opening:
                opened = self._opened
                if opened is None or opened.pid != os.getpid():
                    if opened:
                        opened.writing.dispose(close=False)  # they are still our parent's
                    self._opened = opened = self._make()
        return opened

    def _make(self) -> "_Opened":
        engine = create_engine(self.url, connect_args=self._arguments(), pool_timeout=BUSY_SECONDS)
        if not self.sqlite:
            reading = engine.execution_options(isolation_level="REPEATABLE READ")
            return _Opened(os.getpid(), engine, reading, nullcontext())
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return _Opened(os.getpid(), engine, engine.execution_options(reading=True), threading.Lock())

    def _arguments(self) -> dict[str, Any]:
        """No call waits for ever, not even on a network that swallows everything."""
        if self.sqlite:
            return {"timeout": BUSY_SECONDS}
        return {
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": STATEMENT_SECONDS * 1000,
            "options": f"-c statement_timeout={STATEMENT_SECONDS}s -c lock_timeout={BUSY_SECONDS:.0f}s {_BY_INDEX}",
        }


@dataclass(frozen=True, slots=True)
class _Opened:
    """Two views of the connections of one process. At `one_writer` the threads of a process wait for SQLite's one write
    lock, which they would otherwise poll for.
    """

    pid: int
    writing: Engine
    reading: Engine
    one_writer: AbstractContextManager[object]


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # we begin transactions ourselves
    _use_wal(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _use_wal(connection: Any) -> None:
    """The switch needs a new file for itself for a moment, and SQLite waits for that as it waits for no write: not."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads first and then writes fails at once where another writer came between.
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")


@contextmanager
def in_port_words() -> Iterator[None]:
    """Refused is for one value that the database will never take; everything else is trouble with the database."""
    try:
        yield
    except (IntegrityError, DataError) as error:
        raise Refused(f"the database refuses it: {_first_line(error.orig)}") from error
    except DBAPIError as error:
        kind = TakenBack if getattr(error.orig, "sqlstate", None) in _TAKEN_BACK else Unavailable
        raise kind(f"the database: {_first_line(error.orig)}", plain=PLAIN) from error
    except StatementError as error:
        raise Refused(f"a value fits no column: {_first_line(error.orig)}") from error
    except SQLAlchemyError as error:
        raise Unavailable(f"the database: {_first_line(error)}", plain=PLAIN) from error


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().partition("\n")[0]
