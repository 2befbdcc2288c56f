"""What Debian installs, started for a test. Where something is missing the tests fail and say what to install."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.postgres import postgres

POSTGRES = Path("/usr/lib/postgresql")


def program(name: str, package: str) -> str:
    """Where a program is; fails the test where it is not."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"there is no {name}; on Debian or Ubuntu: apt-get install --no-install-recommends {package}")
    return found


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """As for all tests, but of the PostgreSQL that is installed: the newest."""
    found = sorted(POSTGRES.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.fail("there is no PostgreSQL; on Debian or Ubuntu: apt-get install --no-install-recommends postgresql")
    with postgres(binaries=found[-1].parent) as url:
        yield url
