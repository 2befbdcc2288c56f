"""The ledger on the PostgreSQL that is installed: its contract, and what only a database can do wrong."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text

from delivery.adapters.ledger.sql import upgrade
from tests.contracts.conftest import ledger  # noqa: F401 - over this module's `url`
from tests.contracts.test_ledger_databases import (  # noqa: F401 - run here too
    test_a_database_in_trouble_condemns_no_unit,
    test_a_reader_sees_one_state_and_waits_for_nobody,
    test_leases_go_by_the_database_s_own_clock,
    test_the_database_itself_keeps_a_second_release_from_running,
    test_the_time_goes_on_inside_a_transaction,
    test_what_the_database_cannot_hold_is_refused_alone,
    test_who_waits_too_long_for_a_lock_is_told,
)
from tests.contracts.test_ledger_processes import (  # noqa: F401
    test_a_killed_writer_loses_nothing_that_it_acknowledged,
    test_no_change_is_lost_between_processes,
    test_processes_that_claim_at_once_share_no_target,
)
from tests.contracts.test_ledger_sql import TestPostgresLedger, migrated  # noqa: F401
from tests.postgres import new_database


@pytest.fixture
def url(postgres_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of the test's own; the tests about processes take it as migrated, the others migrate it."""
    with new_database(postgres_server) as url:
        if request.function.__module__.endswith("test_ledger_processes"):
            upgrade(url)
        yield url


def test_it_is_not_the_one_from_pypi(postgres_server: str) -> None:
    engine = create_engine(postgres_server)
    with engine.connect() as connection:
        version = connection.execute(text("SHOW server_version")).scalar_one()
        folder = connection.execute(text("SHOW data_directory")).scalar_one()
    engine.dispose()
    assert "Debian" in version, (version, folder)
