"""A few schedules on the real ledger: SQLite's own transactions, bytes that were really stored, and its own clock."""

from dataclasses import replace

import pytest

from tests.simulation.campaign import run
from tests.simulation.databases import Sqlite
from tests.simulation.profiles import PROFILES

SECOND = 1_000_000


@pytest.mark.parametrize("weather", ["fence", "everything"])
def test_no_invariant_breaks(weather: str, database: Sqlite) -> None:
    """Losing commits is not SQLite's to do."""
    whole = PROFILES[weather]
    deeds = {name: weight for name, weight in whole.deeds.items() if name != "failover"}
    profile = replace(
        whole, deeds=deeds, services=whole.services[:2], storm=6 * SECOND, lull=4 * SECOND, waves=1, workers=2
    )
    outcome = run(0, profile, ledger=database)
    assert outcome.broken == ()
    assert outcome.ends["promoted"] > 2, outcome.ends
