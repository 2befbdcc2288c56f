"""The parts of `make faults`: each ends by itself, by its count or its minutes, and tells what it saw."""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from tests.faults import deeds
from tests.faults.storm import Found, Weather, play
from tests.faults.world import RealWorld
from tests.integration.worker_parts import Broker
from tests.simulation.campaign import each
from tools.postgres import postgres

ROOT = Path(__file__).parents[2]
KILLS = Weather({"kill_worker": 8, "kill_api": 3}, (0.02, 0.12))
SESSIONS = Weather({"kill_worker": 8, "kill_api": 3, "end_session": 5}, (0.02, 0.12))
SYSTEM = Weather(
    {
        "kill_worker": 2,
        "freeze_worker": 2,
        "kill_api": 1,
        "kill_broker": 2,
        "freeze_broker": 2,
        "flush_broker": 3,
        "crash_database": 2,
    },
    (0.3, 1.5),
    ci=(50_000, 300_000),
)
SURROUNDINGS = Weather(
    {"cluster_down": 3, "metrics_down": 2, "chat_down": 2, "step_clock": 3, "kill_worker": 1, "freeze_worker": 1},
    (0.2, 1.5),
    rate=0.35,
    ci=(50_000, 250_000),
)
DISK = Weather({"fill_disk": 4, "kill_worker": 2}, (0.5, 2.0))
TESTS_WITHIN = 1200.0
"""Seconds that the tests of a part have, however few its minutes: half of them would say nothing."""
_NUMBERS = count(1)
STORM = 45.0
"""Seconds of each storm; what follows it takes about half as long again."""


@dataclass
class Result:
    """What a part saw. `counted` is what it is bounded by; `lines` say what else there is to say."""

    part: str
    seconds: float = 0.0
    rounds: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Bounds:
    """`minutes` for the part; `enough` of what it counts; `mutant`: a mistake to plant, which it then has to find."""

    minutes: float
    enough: int
    storm: float = STORM
    mutant: str | None = None
    seeds: int = 0


def kills_sqlite(bounds: Bounds) -> Result:
    """kill -9 of workers and APIs over SQLite."""
    return _rounds("kills-sqlite", bounds, KILLS, ("kill_worker", "kill_api"))


def kills_postgresql(bounds: Bounds) -> Result:
    """kill -9 of workers and APIs, and ended sessions, over PostgreSQL."""
    with postgres() as server:
        return _rounds("kills-postgresql", bounds, SESSIONS, ("kill_worker", "kill_api", "end_session"), server=server)


def system(bounds: Bounds) -> Result:
    """Releases by Celery workers over PostgreSQL: the broker killed, frozen, flushed, the database crashed, SIGSTOP."""
    with postgres() as server:
        return _rounds("system", bounds, SYSTEM, (), server=server, celery=True)


def surroundings(bounds: Bounds) -> Result:
    """Refusals and timeouts before and after apply, a cluster, metrics and the chat down, clocks that jump."""
    return _rounds("surroundings", bounds, SURROUNDINGS, None)


def disk(bounds: Bounds) -> Result:
    """The file system of the SQLite database is full again and again."""
    return _rounds("disk", bounds, DISK, ("fill_disk",), small=True)


def simulation(bounds: Bounds) -> Result:
    """The simulation's schedules, in two processes, from seed `seeds` on."""
    begun, result = time.monotonic(), Result("simulation")
    seeds = range(bounds.seeds, bounds.seeds + bounds.enough)
    for outcome in each(seeds, 2):
        result.rounds += 1
        result.counted["faults"] += outcome.happened.total()
        result.counted["releases"] += outcome.releases
        result.broken += [f"seed {outcome.seed}: {text}" for text in outcome.broken[:3]]
        if time.monotonic() - begun > bounds.minutes * 60:
            break
        _progress(result, result.rounds, begun)
    result.counted["schedules"] = result.rounds
    result.lines.append(f"seeds {bounds.seeds} to {bounds.seeds + result.rounds - 1}")
    result.seconds = time.monotonic() - begun
    return result


def mutants(bounds: Bounds) -> Result:
    """Every mistake of the simulation's list has to be found, and the exhaustive sweep of crashes."""
    return _tests("mutants", bounds, "tests/simulation/test_mutants.py", "tests/simulation/test_crashes.py")


def ordinary(bounds: Bounds) -> Result:
    """What ordinary tests miss: the five of the design, on both databases."""
    return _tests("ordinary", bounds, *ORDINARY)


ORDINARY = (
    "tests/integration/test_engine_unproven.py",
    "tests/histories/test_histories.py",
    "tests/e2e/test_kills.py",
    "tests/faults/test_faults.py",
    "tests/integration/test_engine_batch.py",
    "tests/integration/test_engine_time.py",
)
PARTS: Mapping[str, Callable[[Bounds], Result]] = {
    "kills-sqlite": kills_sqlite,
    "kills-postgresql": kills_postgresql,
    "system": system,
    "surroundings": surroundings,
    "disk": disk,
    "ordinary": ordinary,
    "mutants": mutants,
    "simulation": simulation,
}


def _rounds(
    part: str,
    bounds: Bounds,
    weather: Weather,
    counts: tuple[str, ...] | None,
    *,
    server: str | None = None,
    celery: bool = False,
    small: bool = False,
) -> Result:
    """Rounds, each in a new database, until `enough` of `counts` (none named: releases; None: refusals) were there."""
    begun, result = time.monotonic(), Result(part)
    while time.monotonic() - begun < bounds.minutes * 60:
        found = _round(bounds, weather, server, celery, small)
        result.rounds += 1
        result.counted += found.happened + found.refused
        result.counted["releases"] += found.ends.total()
        result.counted["writes"] += found.writes
        result.counted["refusals"] += found.refused.total()
        result.broken += found.broken
        done = sum(result.counted[name] for name in counts or ("refusals" if counts is None else "releases",))
        _progress(result, done, begun)
        if done >= bounds.enough or (bounds.mutant and result.broken):
            break
    result.seconds = time.monotonic() - begun
    return result


def _round(bounds: Bounds, weather: Weather, server: str | None, celery: bool, small: bool) -> Found:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        if small:
            stack.enter_context(_small_disk(directory / "disk"))
        place = directory / "disk" if small else directory
        url = _database(server) if server else f"sqlite:///{place}/delivery.db"
        broker = Broker(directory) if celery else None
        if broker is not None:
            (directory / "valkey").mkdir(exist_ok=True)
            broker.start()
            stack.callback(broker.kill)
        world = RealWorld(directory, url, broker.url if broker else None, bounds.mutant)
        stack.callback(world.end)
        known = {**deeds.of_processes(world), **deeds.of_surroundings(world), **deeds.of_disk(place)}
        if server:
            known |= deeds.of_database(world)
        if broker is not None:
            known |= deeds.of_broker(broker)
        return play(world, weather, bounds.storm, known)


def _database(server: str) -> str:
    """A new database; its server goes away with all of them."""
    engine, name = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT"), f"faults_{next(_NUMBERS)}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@contextmanager
def _small_disk(directory: Path) -> Iterator[None]:
    """A file system of 16 MB, which needs root."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "faults", str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def _tests(part: str, bounds: Bounds, *files: str) -> Result:
    begun, result = time.monotonic(), Result(part, rounds=1)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line", *files]
    within = max(TESTS_WITHIN, bounds.minutes * 60)
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=within, check=False)
    last = done.stdout.rstrip().splitlines()[-1]
    result.lines.append(last)
    result.broken = [line for line in done.stdout.splitlines() if line.startswith("FAILED")] if done.returncode else []
    result.broken += ["the tests failed"] if done.returncode and not result.broken else []
    result.seconds = time.monotonic() - begun
    return result


def _progress(result: Result, done: int, begun: float) -> None:
    if sys.stderr.isatty():
        took = time.monotonic() - begun
        line = f"\r{result.part}: {done}, {result.rounds} rounds, {len(result.broken)} broken, {took:.0f} s "
        print(line, end="", file=sys.stderr, flush=True)
