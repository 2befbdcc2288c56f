"""One release's whole life in SQL statements and calls behind ports, counted: the same on every machine.

On PostgreSQL, by a clock that we move. In production each call of mesh, workloads and metrics is one HTTP request or
a few (docs/benchmarks.md), and one of metrics is for all releases that are due together.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, event

from benchmarks.load.world import CANDIDATE, STABLE, ReadyWorkloads
from benchmarks.say import Say
from delivery.adapters.hints.none import NoHints
from delivery.adapters.ids import UlidIds
from delivery.adapters.ledger.sql import SqlLedger, upgrade
from delivery.adapters.mesh.memory import MemoryMesh
from delivery.adapters.metrics.memory import MemoryMetrics
from delivery.adapters.slots import InlineSlots
from delivery.adapters.telemetry.prometheus import PrometheusTelemetry
from delivery.catalog.freeze import frozen
from delivery.engine.answer import Arrival
from delivery.engine.book import Book
from delivery.engine.cluster import Cluster
from delivery.engine.parts import Parts
from delivery.machine.evolve import fold
from delivery.model.codec import digest
from delivery.model.event import Phase
from delivery.model.ids import SECOND, Micros, Principal, TargetId, target_id
from delivery.model.notice import Notice, ReleaseRequested
from delivery.model.target import Target
from delivery.model.version import Backend
from delivery.ports.history import Filter
from delivery.ports.metrics import Subject
from delivery.ports.rows import Row, ServiceRecord
from delivery.strategies.plan import compile_plan
from delivery.wiring import assemble, parse
from tools.postgres import postgres

CLUSTER = "local"
BEGIN = Micros(1_800_000_000 * SECOND)
TICK, TICKS = 10.0, 12
RATE = 1_000.0
STEPS = ("5%", "25%", "50%")


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened, to how many releases together, and how often: statements and transactions of the database, and
    calls of the mesh, of workloads and of metrics.
    """

    name: str
    releases: int
    statements: int
    transactions: int
    mesh: int
    workloads: int
    metrics: int
    note: str = ""


class _Clock:
    def __init__(self) -> None:
        self.time = BEGIN

    def now(self) -> Micros:
        return self.time

    def monotonic(self) -> float:
        return self.time / SECOND

    def pause(self, seconds: float) -> None:
        self.time = Micros(self.time + round(seconds * SECOND))


class _Counted:
    """Counts the calls of a port's methods."""

    def __init__(self, port: object, name: str, counts: Counter[str]) -> None:
        self._port, self._name, self._counts = port, name, counts

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._port, method)
        if method == "observe":  # what a watch knows: no call
            return found

        def call(*given: Any, **named: Any) -> Any:
            self._counts[self._name] += 1
            return found(*given, **named)

        return call


class _Life:
    """A service's release, or those of several services that do the same at the same time."""

    def __init__(self, url: str, number: int, counts: Counter[str]) -> None:
        self.clock = _Clock()
        self.names = [f"shop-{one:03}" for one in range(number)]
        self.counts = counts
        self.ledger = SqlLedger(url, fold=fold, now=self.clock.now)
        self._mesh, self._metrics = MemoryMesh(), MemoryMetrics(self.clock)
        ports = {"mesh": self._mesh, "workloads": ReadyWorkloads(), "metrics": self._metrics}
        cluster = Cluster(CLUSTER, **{name: _Counted(port, name, counts) for name, port in ports.items()})  # type: ignore[arg-type]
        book = Book(self.ledger, self.clock, parse, compile_plan, frozen)
        telemetry = PrometheusTelemetry()
        self.engine = assemble(
            Parts(
                self.ledger, {CLUSTER: cluster}, book, self.clock, UlidIds(), NoHints(), InlineSlots(), telemetry
            )
        )  # fmt: skip

    def apply(self) -> None:
        for name in self.names:
            content = {
                "service": name, "cluster": CLUSTER, "workload": {"process": name}, "tick": "10s",
                "strategies": [{"canary": {"steps": list(STEPS), "bake": f"{10 * TICKS}s", "gates": ["errors"]}}],
                "gates": {"errors": {"ratio": "http_errors", "min_requests": 1_000_000_000}},
            }  # fmt: skip
            self.ledger.put_service(ServiceRecord(name, content, digest(content), 1, BEGIN, Principal("bench")))
            target = target_id(name, CLUSTER)
            self.ledger.create_target(Row(Target(target, name, CLUSTER, stable=STABLE)))
            self._metrics.drive(target, RATE, partial(self._shares, target, name))

    def _shares(self, target: TargetId, name: str) -> dict[Subject, float]:
        """What the route says."""
        traffic = self._mesh.traffic(target)
        share = traffic.weight / 100 if traffic else 0.0
        return {
            Subject(target, Backend(name, CANDIDATE)): share,
            Subject(target, Backend(name, STABLE)): 1 - share,
        }

    def ask(self) -> None:
        now = self.clock.now()
        self.engine.inbox.accept(
            [
                Arrival(Notice("ci", name, name, ReleaseRequested(name, CANDIDATE, Principal("ci"), CLUSTER), now), b"")
                for name in self.names
            ]
        )

    def drain(self) -> int:
        return self.engine.drain.run(1.0)

    def ended(self) -> bool:
        return len(self.ledger.page(Filter(states=(Phase.PROMOTED.value,)), len(self.names))) == len(self.names)


def lives(many: int, say: Say) -> list[Moment]:
    """Of one release alone, and of many that do everything at the same time."""
    found = []
    for number in (1, many):
        with postgres() as url, _counting() as counts:
            upgrade(url)
            found += _lived(_Life(url, number, counts))
        say(f"counted the life of {number}")
    return found


def _lived(life: _Life) -> list[Moment]:
    """Moments by what happened in between: a webhook, stages, ticks, the end."""
    life.apply()
    life.drain()
    found: dict[str, list[Counter[str]]] = {}
    whole: Counter[str] = Counter()

    def during(name: str, work: Callable[[], object]) -> None:
        life.counts.clear()
        work()
        found.setdefault(name, []).append(Counter(life.counts))
        whole.update(life.counts)

    during("its webhook", life.ask)
    during("to the first stage, proven", life.drain)
    while not life.ended():
        life.clock.pause(TICK)
        events = _events(life)
        during("", life.drain)
        found.setdefault("tick" if _events(life) == events else "stage", []).append(found[""].pop())
        during("idle", life.drain)
    life.ledger.close()
    idle: Counter[str] = sum(found["idle"], Counter())
    whole.subtract(idle)
    return [*_moments(life, found), _moment("its whole life, without looks while nothing is due", life, whole)]


def _events(life: _Life) -> int:
    """How many the first of them has: all do the same."""
    (stored,) = life.ledger.page(Filter(service=life.names[0]), 1)
    return stored.release.seq


NAMES = {
    "its webhook": "its webhook, to the answer",
    "to the first stage, proven": "from there to the first stage, written and proven",
    "stage": "a tick that ends a stage, with what follows: the next one proven, or the end",
    "tick": "any other tick",
    "idle": "a look of a worker while nothing is due, each 0.25 s",
}


def _moments(life: _Life, found: dict[str, list[Counter[str]]]) -> Iterator[Moment]:
    """The usual one of each kind; kinds that did not happen are left out."""
    for kind, name in NAMES.items():
        if counts := found.get(kind):
            usual, often = Counter(tuple(sorted(one.items())) for one in counts).most_common(1)[0]
            yield _moment(name, life, Counter(dict(usual)), f"{len(counts)} of them, {often} alike")


def _moment(name: str, life: _Life, counts: Counter[str], note: str = "") -> Moment:
    return Moment(
        name, len(life.names), counts["statements"], counts["transactions"],
        counts["mesh"], counts["workloads"], counts["metrics"], note,
    )  # fmt: skip


@contextmanager
def _counting() -> Iterator[Counter[str]]:
    """Statements and transactions of every connection that is used meanwhile."""
    counts: Counter[str] = Counter()

    def executed(*_: object) -> None:
        counts["statements"] += 1

    def began(_: Connection) -> None:
        counts["transactions"] += 1

    event.listen(Engine, "before_cursor_execute", executed)
    event.listen(Engine, "begin", began)
    try:
        yield counts
    finally:
        event.remove(Engine, "before_cursor_execute", executed)
        event.remove(Engine, "begin", began)
