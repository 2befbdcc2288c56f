import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
"""What tests start runs the code of this checkout."""
pytest.register_assert_rewrite("delivery.testing")


def pytest_collection_finish() -> None:
    """What is imported stays till the end: garbage is looked for only in what tests make."""
    gc.collect()
    gc.freeze()


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


@pytest.fixture(scope="session")
def migrated_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database in the newest schema, with nothing in it; nobody opens it again."""
    from delivery.adapters.ledger.sql import upgrade

    file = tmp_path_factory.mktemp("migrated") / "delivery.db"
    upgrade(f"sqlite:///{file}")
    assert [one.name for one in file.parent.iterdir()] == [file.name], "all of it is in the file"
    return file


@pytest.fixture
def migrated_sqlite(migrated_once: Path, tmp_path: Path) -> str:
    """The URL of a database like that, of the test's own: a copy costs a hundredth of what migrating does."""
    return f"sqlite:///{shutil.copy(migrated_once, tmp_path / 'delivery.db')}"
