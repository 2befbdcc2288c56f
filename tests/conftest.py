from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("delivery.testing")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL that lasts as long as the test run."""
    from tools.postgres import postgres

    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def each_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new, empty database: the test runs once on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/delivery.db"
        return
    from tests.postgres import new_database

    with new_database(request.getfixturevalue("postgres_server")) as url:
        yield url
