"""The SQL ledger over each database in turn."""

from collections.abc import Iterator

import pytest

from delivery.adapters.ledger.sql import SqlLedger, upgrade
from delivery.machine.evolve import fold


@pytest.fixture
def url(each_database: str) -> str:
    return each_database


@pytest.fixture
def ledger(url: str) -> Iterator[SqlLedger]:
    upgrade(url)
    opened = SqlLedger(url, fold)
    yield opened
    opened.close()
