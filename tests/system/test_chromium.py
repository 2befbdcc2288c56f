"""A real browser on the pages of the API: what a person would see, with no way out of this machine."""

import subprocess
from pathlib import Path

from api.app import create_app
from delivery.adapters.clock.system import SystemClock
from delivery.adapters.ledger.memory import MemoryLedger
from delivery.machine.evolve import fold
from tests.api.server import serving
from tests.api.world import World
from tests.system.chromium import QUIET
from tests.system.conftest import program

SECONDS = 60


def rendered(profile: Path, url: str) -> str:
    """The page's document once its scripts have run."""
    command = [program("chromium", "chromium"), *QUIET, f"--user-data-dir={profile}", "--virtual-time-budget=20000"]
    done = subprocess.run(
        [*command, "--dump-dom", url],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_docs_page_shows_the_operations_without_a_network(tmp_path: Path) -> None:
    clock = SystemClock()
    world = World(MemoryLedger(clock, fold), clock)  # type: ignore[arg-type]
    with serving(create_app(world.services)) as base:
        page = rendered(tmp_path, f"{base}/docs")
    for shown in ("Progressive delivery", "/v1/releases", "Authorize", "What CI and other systems send."):
        assert shown in page
    assert "Failed to load" not in page
