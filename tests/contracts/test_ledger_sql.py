from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from delivery.adapters.ledger.sql import SqlLedger, upgrade
from delivery.adapters.ledger.sql.tables import METADATA
from delivery.machine.evolve import fold
from delivery.testing.contracts.ledger import LedgerContract
from delivery.testing.contracts.ledger_values import Watch
from tests.postgres import new_database


class SqlWorld:
    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = Watch()
        self.ledger, self.other = (SqlLedger(url, fold, self.clock.now) for _ in range(2))

    def close(self) -> None:
        self.ledger.close()
        self.other.close()


@contextmanager
def opened(url: str) -> Iterator[SqlWorld]:
    world = SqlWorld(url)
    try:
        yield world
    finally:
        world.close()


class TestSqliteLedger(LedgerContract):
    @pytest.fixture
    def world(self, migrated_sqlite: str) -> Iterator[SqlWorld]:
        with opened(migrated_sqlite) as world:
            yield world


@pytest.fixture(scope="module")
def migrated(postgres_server: str) -> Iterator[str]:
    with new_database(postgres_server) as url:
        upgrade(url)
        yield url


class TestPostgresLedger(LedgerContract):
    @pytest.fixture
    def world(self, migrated: str) -> Iterator[SqlWorld]:
        with opened(migrated) as world:
            yield world
            with world.ledger._database.write() as connection:
                for table in reversed(METADATA.sorted_tables):
                    connection.execute(table.delete())
