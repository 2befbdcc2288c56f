"""What goes wrong: deaths, frozen processes, sessions that end, brokers and databases that go, clocks, full disks."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from tests.faults.world import RealWorld
from tests.integration.worker_parts import Broker
from tests.simulation.services import CLUSTERS
from tools.postgres import Server

Deed = Callable[[], object]
BEYOND_A_LEASE = 2.5
LASTS = 1.5
STEPS = (-3600, -30, 30, 3600)
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def of_processes(world: RealWorld) -> Mapping[str, Deed]:
    return {
        "kill_worker": world.kill_worker,
        "kill_api": world.kill_api,
        "freeze_worker": lambda: world.freeze_worker(BEYOND_A_LEASE),
    }


def of_database(world: RealWorld, server: Server) -> Mapping[str, Deed]:
    """PostgreSQL's sessions ended by an administrator, and one killed: the server then ends all, and recovers. Or the
    server itself is stopped at once, is away for a while, and recovers when it starts.
    """
    engine = create_engine(world.place.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def end_session() -> None:
        _ask(engine, f"SELECT pg_terminate_backend(pid) FROM ({BACKENDS} ORDER BY random() LIMIT 1) AS one")

    def crash_database() -> None:
        for pid in _ask(engine, f"{BACKENDS} AND backend_type = 'client backend' LIMIT 1"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def restart_database() -> None:
        server.stop()
        time.sleep(LASTS)
        server.start()

    return {"end_session": end_session, "crash_database": crash_database, "restart_database": restart_database}


def of_broker(broker: Broker) -> Mapping[str, Deed]:
    def kill_broker() -> None:
        broker.kill()
        time.sleep(LASTS)
        broker.start()

    def freeze_broker() -> None:
        broker.signal(signal.SIGSTOP)
        time.sleep(LASTS)
        broker.signal(signal.SIGCONT)

    def flush_broker() -> None:
        import redis

        with suppress(redis.RedisError), redis.Redis.from_url(broker.url, socket_timeout=2.0) as client:
            client.flushall()

    return {"kill_broker": kill_broker, "freeze_broker": freeze_broker, "flush_broker": flush_broker}


def of_surroundings(world: RealWorld) -> Mapping[str, Deed]:
    """One cluster, one cluster's metrics, the chat: down for a while. Clocks of all processes at once."""

    def down(part: str, name: str) -> None:
        world.outside.play(part, name, "down", True)
        time.sleep(LASTS)
        world.outside.play(part, name, "down", False)

    def step_clock() -> None:
        world.place.skew.value += world.random.choice(STEPS) * 1_000_000
        world.furthest = max(world.furthest, world.place.skew.value)

    return {
        "cluster_down": lambda: down("meshes", world.random.choice(CLUSTERS)),
        "metrics_down": lambda: down("metrics", world.random.choice(CLUSTERS)),
        "chat_down": lambda: down("chat", ""),
        "step_clock": step_clock,
    }


def of_disk(directory: Path) -> Mapping[str, Deed]:
    """The file system that the database is on has no room left for a while."""

    def fill_disk() -> None:
        filler = directory / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 65536)
        time.sleep(LASTS)
        filler.unlink()

    return {"fill_disk": fill_disk}


def _ask(engine: Engine, statement: str) -> list[int]:
    """The first column; nothing while the database is away."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with engine.connect() as connection:
            return [row[0] for row in connection.execute(text(statement))]
    except SQLAlchemyError:
        return []
