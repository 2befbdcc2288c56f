"""A small true slice of `make faults`: real processes die, and what looks at them sees a mistake."""

from pathlib import Path

import pytest

from delivery.model.ids import ReleaseId
from tests.faults import deliveries
from tests.faults.deeds import of_processes
from tests.faults.mutants import MUTANTS
from tests.faults.parts import brokers
from tests.faults.report import markdown
from tests.faults.storm import Found, Weather, play
from tests.faults.trouble import DRAWN, READS, Trouble
from tests.faults.users import BEHIND, RATE, seconds_of, wronged
from tests.faults.world import RealWorld
from tests.faults.writers import Outcome, Try, broken

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


def test_a_share_of_all_requests_is_refused_and_only_as_a_server_may() -> None:
    trouble = Trouble()
    assert trouble.take("PUT", "/x")[1] is None
    trouble.rate = 0.5
    for verb in ("GET", "WATCH", "PUT"):
        taken = [trouble.take(verb, "/x")[1] for _ in range(2000)]
        assert 800 < sum(fault is not None for fault in taken) < 1200
    kinds = {verb: {name.rpartition(" ")[0] for name in trouble.refused if name.endswith(verb)} for verb in READS}
    every = {name for name, _, _ in DRAWN}
    assert kinds == {"GET": every - {"409"}, "WATCH": every - {"409", "cut after", "timeout after"}}
    assert {name.rpartition(" ")[0] for name in trouble.refused if name.endswith("PUT")} == every


HISTORY = (("raced@1", 2), ("raced@4", 3), ("raced@7", 4))


@pytest.mark.parametrize(
    ("tries", "says"),
    [
        ({3: Try("raced@1", Outcome.DONE), 4: Try("raced@4", Outcome.UNKNOWN)}, ""),
        ({5: Try("raced@4", Outcome.CONFLICT), 6: Try("raced@4", Outcome.UNKNOWN)}, ""),
        ({4: Try("raced@1", Outcome.DONE)}, "lost update: 4 expected raced@1"),
        ({3: Try("raced@1", Outcome.CONFLICT)}, "told conflict is stored 1 times: 3"),
        ({5: Try("raced@7", Outcome.DONE)}, "told done is stored 0 times: 5"),
    ],
)
def test_writes_over_something_else_than_was_read_are_seen(tries: dict[int, Try], says: str) -> None:
    found = broken(HISTORY, tries)
    assert len(found) == bool(says)
    assert says in "".join(found)


COUNTED = {
    "sent": 1310,
    "answered": 1310,
    "skipped": 0,
    "failed": {},
    "versions": {"1.4.1": {"requests": 1000, "errors": 0}, "2.1.0": {"requests": 310, "errors": 103}},
}


@pytest.mark.parametrize(
    ("change", "bad", "seconds", "says"),
    [
        ({}, "2.1.0", 12.0, ""),
        ({}, "2.2.0", 12.0, "103 errors of 2.1.0 of cart, which is not bad"),
        ({}, "2.1.0", 6.0, "2.1.0 of cart had 310 requests, its routes gave it 150"),
        ({}, "2.1.0", 0.0, "2.1.0 of cart had 310 requests, its routes gave it 0"),
        ({"failed": {"503 no healthy upstream": 1}}, "2.1.0", 12.0, "503 no healthy upstream"),
        ({"skipped": 1}, "2.1.0", 12.0, "no version of cart answered"),
        ({"answered": 1309}, "2.1.0", 12.0, "no version of cart answered"),
    ],
)
def test_what_users_must_not_get_is_seen(change: dict[str, object], bad: str, seconds: float, says: str) -> None:
    assert RATE == 25, "the figures here are for this rate"
    exposed = {"1.4.1": float("inf"), "2.1.0": seconds}
    found = [*wronged("cart", COUNTED | change, lambda version: version == bad, exposed)]
    assert len(found) == bool(says)
    assert says in "".join(found)


def test_a_candidate_is_exposed_for_as_long_as_its_share_is_stored() -> None:
    one, other = ReleaseId("one"), ReleaseId("other")
    shares = [(100.0, one, 0.3), (110.0, one, 0.6), (120.0, one, 0.0), (130.0, other, 0.5), (150.0, one, 0.0)]
    assert seconds_of(shares, one) == pytest.approx(0.3 * 10 + 0.6 * 10 + (0.3 + 0.3 + 0.6) * BEHIND)
    assert seconds_of(shares, other) == pytest.approx(0.5 * 20 + (0.5 + 0.5) * BEHIND)
    assert seconds_of(shares, ReleaseId("none")) == 0


def test_the_system_part_meets_every_broker_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/redis-server")
    assert [name for name, _ in brokers()] == ["redis", "valkey"]
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert [name for name, _ in brokers()] == ["valkey"]


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
