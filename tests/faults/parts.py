"""The parts of `make faults`: each ends by itself, by its count or its minutes, and tells what it saw."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count, cycle
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from delivery.sandbox.valkey import LocalValkey
from tests.faults import deeds, suites
from tests.faults.deliveries import play as at_the_api
from tests.faults.result import Bounds, Result
from tests.faults.storm import Found, Weather, play
from tests.faults.world import RealWorld
from tests.integration.worker_parts import Broker
from tests.redis_server import PROGRAM, LocalRedis
from tests.simulation.campaign import each
from tests.simulation.profiles import Draw, of_seed, short_of_seed
from tools.cluster_build import CannotBuild
from tools.postgres import Server, serving

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
        "restart_database": 2,
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
LONGER = 3
"""Times as long as other storms is one before the real Kubernetes API, which takes its time to be there."""
RELEASES, REFUSALS = ("releases",), ("refusals",)
_NUMBERS = count(1)


def kills_sqlite(bounds: Bounds) -> Result:
    """kill -9 of workers and APIs over SQLite."""
    return _rounds("kills-sqlite", bounds, ("kill_worker", "kill_api"), partial(_round, bounds, KILLS))


def kills_postgresql(bounds: Bounds) -> Result:
    """kill -9 of workers and APIs, and ended sessions, over PostgreSQL."""
    counts = ("kill_worker", "kill_api", "end_session")
    with serving() as server:
        return _rounds("kills-postgresql", bounds, counts, partial(_round, bounds, SESSIONS, server=server))


def system(bounds: Bounds) -> Result:
    """Releases by Celery workers over PostgreSQL: broker killed, frozen, flushed, database crashed, SIGSTOP."""
    turns = cycle(brokers())

    def one() -> Found:
        name, made = next(turns)
        found = _round(bounds, SYSTEM, server=server, celery=made)
        found.happened[f"rounds_with_{name}"] += 1
        return found

    with serving() as server:
        return _rounds("system", bounds, RELEASES, one)


def brokers() -> tuple[tuple[str, type[LocalValkey]], ...]:
    """What rounds have for a broker, in turn: Redis too where Debian's is installed."""
    redis: tuple[tuple[str, type[LocalValkey]], ...] = (("redis", LocalRedis),) if shutil.which(PROGRAM) else ()
    return (*redis, ("valkey", LocalValkey))


def surroundings(bounds: Bounds) -> Result:
    """Refusals and timeouts before and after apply, a cluster, metrics and the chat down, clocks that jump."""
    return _rounds("surroundings", bounds, REFUSALS, partial(_round, bounds, SURROUNDINGS))


def wire(bounds: Bounds) -> Result:
    """409, 429, 500, cut connections and timeouts in HTTP before a real Kubernetes API; deaths, gates and users."""
    from tests.cluster.testbed.cluster import running
    from tests.cluster.testbed.process import CannotRun
    from tests.faults.wire import play as on_the_wire

    def one() -> Found:
        with _directory() as directory:
            found = on_the_wire(cluster, directory, _database(server), LONGER * bounds.storm)
            for log in directory.glob("*.log") if found.broken else ():
                _keep(log)
            return found

    try:
        with _directory() as directory, running(directory) as cluster, serving() as server:
            return _rounds("wire", bounds, REFUSALS, one)
    except (CannotRun, CannotBuild) as reason:
        return Result("wire", broken=[f"not run: {reason}"])


def deliveries(bounds: Bounds) -> Result:
    """Deliveries in HTTP, tripled, shuffled and replayed, at API processes that die; over either database in turn."""
    turns = cycle((True, False))

    def one() -> Found:
        with _directory() as directory:
            return at_the_api(directory, _database(server) if next(turns) else f"sqlite:///{directory}/delivery.db")

    with serving() as server:
        return _rounds("deliveries", bounds, ("requests",), one)


def disk(bounds: Bounds) -> Result:
    """The file system of the SQLite database is full again and again."""
    return _rounds("disk", bounds, ("fill_disk",), partial(_round, bounds, DISK, small=True))


def simulation(bounds: Bounds) -> Result:
    """The simulation's schedules."""
    return _schedules("simulation", bounds, of_seed)


def short_schedules(bounds: Bounds) -> Result:
    """The simulation's short schedules, of which many more can be played."""
    return _schedules("short-schedules", bounds, short_of_seed)


def _schedules(part: str, bounds: Bounds, draw: Draw) -> Result:
    """In two processes, from seed `seeds` on."""
    begun, result = time.monotonic(), Result(part)
    seeds = range(bounds.seeds, bounds.seeds + bounds.enough)
    for outcome in each(seeds, 2, draw):
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


PARTS: Mapping[str, Callable[[Bounds], Result]] = {
    "kills-sqlite": kills_sqlite,
    "kills-postgresql": kills_postgresql,
    "system": system,
    "surroundings": surroundings,
    "wire": wire,
    "deliveries": deliveries,
    "disk": disk,
    "ordinary": suites.ordinary,
    "mutants": suites.mutants,
    "simulation": simulation,
    "short-schedules": short_schedules,
}


def _rounds(part: str, bounds: Bounds, counts: tuple[str, ...], one: Callable[[], Found]) -> Result:
    """Rounds, each in a new database, until `enough` of `counts` were there."""
    begun, result, kinds = time.monotonic(), Result(part), Counter[str]()
    while time.monotonic() - begun < bounds.minutes * 60:
        found = one()
        for name, times in found.refused.items():
            kinds[name.rpartition(" ")[0]] += times  # without what was asked
        result.rounds += 1
        result.counted += found.happened + found.refused
        result.counted["releases"] += found.ends.total()
        result.counted["writes"] += found.writes
        result.counted["refusals"] += found.refused.total()
        result.broken += found.broken
        done = sum(result.counted[name] for name in counts)
        _progress(result, done, begun)
        if done >= bounds.enough or (bounds.mutant and result.broken):
            break
    result.lines += [", ".join(f"{times} {name}" for name, times in sorted(kinds.items()))] if kinds else []
    result.seconds = time.monotonic() - begun
    return result


def _round(
    bounds: Bounds,
    weather: Weather,
    *,
    server: Server | None = None,
    celery: type[LocalValkey] | None = None,
    small: bool = False,
) -> Found:
    with ExitStack() as stack:
        directory = stack.enter_context(_directory())
        if small:
            stack.enter_context(_small_disk(directory / "disk"))
        place = directory / "disk" if small else directory
        url = _database(server) if server else f"sqlite:///{place}/delivery.db"
        broker = Broker(directory, celery) if celery else None
        if broker is not None:
            (directory / "valkey").mkdir(exist_ok=True)
            broker.start()
            stack.callback(broker.kill)
        world = RealWorld(directory, url, broker.url if broker else None, bounds.mutant)
        stack.callback(world.end)
        known = {**deeds.of_processes(world), **deeds.of_surroundings(world), **deeds.of_disk(place)}
        if server:
            known |= deeds.of_database(world, server)
        if broker is not None:
            known |= deeds.of_broker(broker)
        found = play(world, weather, bounds.storm, known)
        if found.broken:
            _keep(directory / "log")
        return found


def _keep(log: Path) -> None:
    """What processes said in a round that broke something."""
    kept = ROOT / "build" / "faults.log"
    kept.parent.mkdir(exist_ok=True)
    with kept.open("ab") as file:
        file.write(log.read_bytes())


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="faults-") as directory:
        yield Path(directory)


def _database(server: Server) -> str:
    """A new database; its server goes away with all of them."""
    engine, name = (
        create_engine(server.url, poolclass=NullPool, isolation_level="AUTOCOMMIT"),
        f"faults_{next(_NUMBERS)}",
    )
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    return make_url(server.url).set(database=name).render_as_string(hide_password=False)


@contextmanager
def _small_disk(directory: Path) -> Iterator[None]:
    """A file system of 16 MB, which needs root."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "faults", str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def _progress(result: Result, done: int, begun: float) -> None:
    if sys.stderr.isatty():
        took = time.monotonic() - begun
        line = f"\r{result.part}: {done}, {result.rounds} rounds, {len(result.broken)} broken, {took:.0f} s "
        print(line, end="", file=sys.stderr, flush=True)
