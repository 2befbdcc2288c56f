"""PostgreSQL, Redis, the API and Celery workers as processes, and releases that bake."""

import shutil
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine, create_engine, text

from benchmarks.intake import SECRET
from benchmarks.load import lateness, processes
from benchmarks.load.processes import Process
from benchmarks.load.world import CANDIDATE, STABLE, offer
from delivery.adapters.ledger.sql import upgrade
from delivery.engine.answer import Arrival
from delivery.model.codec import digest
from delivery.model.ids import Micros, Principal, target_id
from delivery.model.notice import Notice, ReleaseRequested
from delivery.model.target import Target
from delivery.ports.rows import Row, ServiceRecord
from delivery.sandbox.ports import HOST, free_port
from delivery.sandbox.valkey import LocalValkey
from delivery.settings import load
from delivery.wiring import Wired, wire
from tools.postgres import postgres

CLUSTER = "local"
DEBIAN = Path("/usr/lib/postgresql")
BATCH = 100
STARTS_WITHIN = 60.0
PATIENCE = 4
SETTINGS = """
[limits]
source_per_second = 1000000
[server]
public_url = "http://127.0.0.1:{port}"
[database]
url = "{url}"
[broker]
url = "{broker}"
[clusters.local]
mesh = {{kind = "memory", path = "{mesh}"}}
workloads = {{kind = "memory"}}
metrics = {{kind = "memory"}}
[processes.shop]
command = ["shop"]
[sources.ci]
dialect = "cloudevents"
secrets = ["{secret}"]
"""


def document(service: str, every: int) -> dict[str, object]:
    """A canary that bakes longer than anything here lasts, with the gate that a service gets by default.

    The gate waits for requests: else it would show within minutes that the candidate is no worse, and end the stage.
    """
    return {
        "service": service,
        "cluster": CLUSTER,
        "workload": {"process": "shop"},
        "tick": f"{every}s",
        "strategies": [{"canary": {"steps": ["5%", "50%"], "bake": "40h", "gates": ["errors"]}}],
        "gates": {"errors": {"ratio": "http_errors", "min_requests": 1_000_000_000}},
    }


class Redis(LocalValkey):
    """Redis where it is installed, else Valkey."""

    def command(self) -> tuple[str, ...]:
        program, configuration = super().command()
        return shutil.which("redis-server") or program, configuration


@dataclass(frozen=True, slots=True)
class Reading:
    """Counted since the beginning: seconds of CPU, and ticks that the database has."""

    at: float
    ticks: int
    workers: float
    api: float
    postgres: float
    redis: float


@dataclass
class Stage:
    """What runs. `releases` bake, each with a tick `every` so many seconds."""

    folder: Path
    every: int
    postmaster: int
    redis: Process
    api: Process
    port: int
    wired: Wired
    engine: Engine
    workers: list[Process] = field(default_factory=list)
    releases: int = 0

    @property
    def ours(self) -> list[Process]:
        return [self.api, *self.workers]

    def employ(self, number: int) -> None:
        """Has so many workers from now on."""
        for worker in self.workers[number:]:
            worker.stop()
        del self.workers[number:]
        for name in range(len(self.workers), number):
            command = [
                sys.executable, "-m", "celery", "-A", "benchmarks.load.worker", "worker", "--without-gossip",
                "--without-mingle", "--without-heartbeat", "-n", f"worker{name}@%h", "-l", "WARNING",
            ]  # fmt: skip
            env = {"DELIVERY_CONFIG": str(self.folder / "delivery.toml"), lateness.FILE: str(self._lateness)}
            self.workers.append(processes.start(f"worker{name}", command, self.folder, env))

    @property
    def _lateness(self) -> Path:
        return self.folder / "lateness"

    def grow(self, total: int, within: float) -> None:
        """Has so many releases bake: applied, asked for, and brought there by the workers that run."""
        names = [f"shop-{number:05}" for number in range(self.releases, total)]
        ledger, now = self.wired.ledger, self.wired.clock.now()
        for name in names:
            content = document(name, self.every)
            ledger.put_service(ServiceRecord(name, content, digest(content), 1, now, Principal("bench")))
            ledger.create_target(Row(Target(target_id(name, CLUSTER), name, CLUSTER, stable=STABLE)))
        for first in range(0, len(names), BATCH):
            self.wired.inbox.accept([_asked(name, now) for name in names[first : first + BATCH]])
        self.releases = total
        processes.wait(f"{total} releases bake", lambda: self.baking() == total, within, self.ours, 0.5)

    def settle(self) -> None:
        """Waits until every release had a tick since now, and for a few ticks at most: more than it can do may wait."""
        begun, enough = time.monotonic(), self.ticks() + self.releases
        least, most = begun + self.every, begun + PATIENCE * self.every
        while time.monotonic() < least or (self.ticks() < enough and time.monotonic() < most):
            self.check()
            time.sleep(0.5)

    def baking(self) -> int:
        return self._ask("SELECT count(*) FROM release WHERE phase = 'baking' AND target LIKE 'shop-%'")

    def ticks(self) -> int:
        return self._ask("SELECT coalesce(sum(tick), 0) FROM measuring")

    def reading(self) -> Reading:
        return Reading(
            time.time(),
            self.ticks(),
            sum(processes.cpu(worker.popen.pid) for worker in self.workers),
            processes.cpu(self.api.popen.pid),
            processes.tree_cpu(self.postmaster),
            processes.cpu(self.redis.popen.pid),
        )

    def lateness(self, since: float, until: float) -> list[float]:
        """Seconds from due to claimed, by the database's clock, of each turn in between."""
        return lateness.between(self._lateness, since, until)

    def memory(self) -> tuple[int, int]:
        """Resident and proportional bytes of all processes of ours."""
        found = [processes.memory(process.popen.pid) for process in self.ours]
        return sum(rss for rss, _ in found), sum(pss for _, pss in found)

    def check(self) -> None:
        for process in (*self.ours, self.redis):
            process.check()

    def _ask(self, query: str) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text(query)).scalar_one())


@contextmanager
def stage(folder: Path, every: int) -> Iterator[Stage]:
    """Everything but workers and releases. PostgreSQL writes durably."""
    found = sorted(DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name))
    with ExitStack() as stack:
        url = stack.enter_context(postgres(durable=True, binaries=found[-1] if found else None))
        upgrade(url)
        home = Path(url.partition("host=")[2])
        postmaster = int((home / "data" / "postmaster.pid").read_text().split()[0])
        broker = Redis(folder / "redis", free_port(0, set()))
        redis = processes.start("redis", broker.command(), folder)
        stack.callback(redis.stop)
        processes.wait("Redis answers", broker.answers, STARTS_WITHIN, [redis])
        port = free_port(0, set())
        settings = folder / "delivery.toml"
        settings.write_text(SETTINGS.format(port=port, url=url, broker=broker.url, mesh=folder / "mesh", secret=SECRET))
        offer()
        wired = wire(load({"DELIVERY_CONFIG": str(settings)}))
        stack.callback(wired.close)
        engine = create_engine(url)
        stack.callback(engine.dispose)
        command = [sys.executable, "-m", "uvicorn", "benchmarks.load.api:app", "--factory", "--host", HOST]
        api = processes.start(
            "api", [*command, "--port", str(port), "--no-access-log"], folder, {"DELIVERY_CONFIG": str(settings)}
        )
        stack.callback(api.stop)
        processes.wait("the API answers", lambda: _answers(port), STARTS_WITHIN, [api])
        made = Stage(folder, every, postmaster, redis, api, port, wired, engine)
        stack.callback(made.employ, 0)
        yield made


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=1.0):
            return True
    except OSError:
        return False


def _asked(name: str, now: Micros) -> Arrival:
    says = ReleaseRequested(name, CANDIDATE, Principal("ci"), CLUSTER)
    return Arrival(Notice("bench", name, name, says, now), b"{}")
