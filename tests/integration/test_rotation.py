"""Passwords of what lies behind the service are changed while it runs, as the runbook says."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from kombu.exceptions import OperationalError
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from delivery.adapters.hints.broker import make_app
from delivery.adapters.ledger.sql import SqlLedger, upgrade
from delivery.machine.evolve import fold
from delivery.ports.errors import Unavailable
from tests.integration.worker_parts import Broker
from tools.postgres import postgres

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
CHANGE = "ALTER ROLE delivery PASSWORD 'NEW'"
ADD, TAKE_OUT = "ACL SETUSER default >NEW", "ACL SETUSER default <OLD"


@pytest.fixture
def database() -> Iterator[URL]:
    """A PostgreSQL that asks for passwords, and the account of the service with its first one."""
    with postgres() as url:
        server = make_url(url)
        rules = Path(str(server.query["host"])) / "data" / "pg_hba.conf"
        rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
        told(server, "CREATE ROLE delivery LOGIN PASSWORD 'first'", "GRANT ALL ON SCHEMA public TO delivery")
        told(server, "SELECT pg_reload_conf()")
        yield server


def told(server: URL, *statements: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def ledger(server: URL, password: str) -> SqlLedger:
    url = server.set(username="delivery", password=password)
    return SqlLedger(url.render_as_string(hide_password=False), fold=fold)


def test_the_databases_password(database: URL) -> None:
    """Open connections stay, so that there is time to restart with the new one."""
    upgrade(database.set(username="delivery", password="first").render_as_string(hide_password=False))
    assert CHANGE in RUNBOOK
    running, stale, renewed = (ledger(database, password) for password in ("first", "first", "second"))
    try:
        refused_soon(database)
        assert running.rows() == ()
        told(database, CHANGE.replace("NEW", "second"))
        assert running.rows() == ()
        with pytest.raises(Unavailable, match="password"):
            stale.rows()
        assert renewed.rows() == ()
    finally:
        for each in (running, stale, renewed):
            each.close()


def refused_soon(database: URL) -> None:
    """Waits until the server asks for passwords."""
    end = time.monotonic() + 30
    while True:
        wrong = ledger(database, "wrong")
        try:
            wrong.rows()
        except Unavailable:
            return
        finally:
            wrong.close()
        assert time.monotonic() < end


def test_redis_password(tmp_path: Path) -> None:
    """Both count while one replaces the other."""
    broker = Broker(tmp_path)
    broker.start()
    try:
        old = str(urlsplit(broker.url).password)
        assert ADD in RUNBOOK
        assert TAKE_OUT in RUNBOOK
        renewed = broker.url.replace(old, "another")
        assert not opens(renewed)
        say(broker.url, ADD.replace("NEW", "another"))
        assert opens(renewed)
        assert opens(broker.url)
        say(renewed, TAKE_OUT.replace("OLD", old))
        assert opens(renewed)
        assert not opens(broker.url)
    finally:
        broker.kill()


def opens(url: str) -> bool:
    """Whether hints can be sent and taken there."""
    with make_app(url).connection_for_write() as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=5)
        except OperationalError:
            return False
        return True


def say(url: str, command: str) -> None:
    with redis.Redis.from_url(url) as client:
        assert client.execute_command(*command.split())
