"""The real ledger, on SQLite, going by the simulated clock."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from delivery.adapters.ledger.sql import SqlLedger, upgrade
from delivery.machine.evolve import fold
from tests.simulation.parts import SimClock


class Sqlite:
    """A database in a file. Each call opens it anew; `close` ends every connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: list[SqlLedger] = []
        path.write_bytes(_empty())

    def __call__(self, clock: SimClock) -> SqlLedger:
        ledger = SqlLedger(f"sqlite:///{self._path}", fold, clock.now)
        self._opened.append(ledger)
        return ledger

    def close(self) -> None:
        for ledger in self._opened:
            ledger.close()


@cache
def _empty() -> bytes:
    """A migrated database without rows: migrating one takes longer than a schedule."""
    with TemporaryDirectory() as directory:
        file = Path(directory) / "empty.db"
        upgrade(f"sqlite:///{file}")
        return file.read_bytes()
