from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("delivery.testing")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL that lasts as long as the test run."""
    from tools.postgres import postgres

    with postgres() as url:
        yield url
