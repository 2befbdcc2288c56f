"""What several tests of the simulation share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.databases import Sqlite


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Sqlite]:
    """The real ledger in a file of its own."""
    found = Sqlite(tmp_path / "ledger.db")
    yield found
    found.close()
