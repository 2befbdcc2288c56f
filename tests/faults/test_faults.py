"""A small true slice of `make faults`: real processes die, and what looks at them sees a mistake."""

from pathlib import Path

import pytest

from tests.faults import deliveries
from tests.faults.deeds import of_processes
from tests.faults.mutants import MUTANTS
from tests.faults.report import markdown
from tests.faults.storm import Found, Weather, play
from tests.faults.world import RealWorld

KILLS = Weather({"kill_worker": 4, "kill_api": 1}, (0.1, 0.4), least=8)
SECONDS = 3.0
LONGER = 5.0
"""For a mistake to be made, and a process to die of it."""


@pytest.fixture
def url(each_database: str) -> str:
    return each_database


def storm(directory: Path, url: str, seconds: float, mutant: str | None = None) -> Found:
    world = RealWorld(directory, url, mutant=mutant)
    try:
        return play(world, KILLS, seconds, of_processes(world))
    finally:
        world.end()


@pytest.mark.timeout(300)
def test_killed_processes_break_no_invariant(tmp_path: Path, url: str) -> None:
    found = storm(tmp_path, url, SECONDS)
    assert found.broken == []
    assert found.happened["kill_worker"] + found.happened["kill_api"] >= KILLS.least
    assert found.writes
    assert found.ends


@pytest.mark.timeout(300)
def test_deliveries_in_http_tripled_shuffled_and_replayed_make_one_release_each(tmp_path: Path, url: str) -> None:
    found = deliveries.play(tmp_path, url, services=8)
    assert found.broken == []
    assert found.happened["kill_api"] >= 1
    assert found.happened["requests"] >= 4 * found.happened["deliveries"]
    assert found.ends.total() >= 8


@pytest.mark.timeout(300)
def test_a_mistake_in_real_processes_is_found(tmp_path: Path) -> None:
    name = "verdict not committed before the revert"
    found = storm(tmp_path, f"sqlite:///{tmp_path}/delivery.db", LONGER, name)
    assert [text for text in found.broken if text.startswith(MUTANTS[name].breaks)], found


def test_the_report_tells_what_was_run_and_what_broke() -> None:
    run = {
        "part": "disk",
        "commit": "abc1234",
        "seconds": 12.3,
        "rounds": 2,
        "counted": {"fill_disk": 5, "429 before write": 1},
        "lines": [],
        "broken": ["invariant 3: ..."],
    }
    assert markdown([run]).splitlines() == [
        "| part | commit | seconds | rounds | what happened | broken |",
        "|---|---|---|---|---|---|",
        "| disk | abc1234 | 12 | 2 | 5 fill_disk | 1 |",
        "",
        "- disk at abc1234: invariant 3: ...",
    ]
