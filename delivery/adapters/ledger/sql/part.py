"""What the parts of the SQL ledger share."""

from typing import Any

from delivery.adapters.ledger.sql.coding import Recent, release_from
from delivery.adapters.ledger.sql.engine import Database, Now
from delivery.adapters.ledger.units import Fold
from delivery.model.release import Release
from delivery.ports.ledger import StoredRelease

RELEASES_KEPT = 16_384


class Part:
    """`now` replaces the database's own clock, for tests and simulations."""

    def __init__(self, url: str, fold: Fold, now: Now | None = None) -> None:
        self._database = Database(url, now)
        self._fold = fold
        self._decoded: Recent[tuple[str, str], Release] = Recent(RELEASES_KEPT)

    def close(self) -> None:
        """Closes this process's connections."""
        self._database.close()

    def _stored(self, columns: Any) -> StoredRelease:
        """The head names every byte of a release's history, so a release is decoded once for each head."""
        release = self._decoded.get((columns.id, columns.head), lambda: release_from(columns.body))
        return StoredRelease(release, columns.head)
