"""The simulated world: two clusters, four services, workers that come and go, and everything that can go wrong."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from delivery.adapters.chat.memory import MemoryChat
from delivery.adapters.hints.memory import MemoryHints
from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.mesh.memory import MemoryMesh
from delivery.adapters.slots import InlineSlots
from delivery.adapters.telemetry.memory import MemoryTelemetry
from delivery.catalog.freeze import frozen
from delivery.engine.book import Book
from delivery.engine.cluster import Cluster
from delivery.engine.outbox import Outbox
from delivery.engine.parts import Parts
from delivery.machine.evolve import fold
from delivery.model.ids import Principal, TargetId, target_id
from delivery.model.target import Target
from delivery.ports.errors import PortError, Unavailable
from delivery.ports.ledger import Row, ServiceRecord
from delivery.strategies.plan import compile_plan
from delivery.wiring import Engine, assemble, parse
from tests.simulation.parts import SimClock, SimIds, SimMetrics, SimWorkloads
from tests.simulation.scheduler import Actor, Scheduler, Switching
from tests.simulation.watch import Watch

CLUSTERS = ("east", "west")
_CANARY = {"canary": {"steps": ["5%", "50%"], "bake": "3s"}}
DOCUMENTS: Mapping[str, Mapping[str, Any]] = {
    "queueing": {"strategies": [_CANARY]},
    "superseding": {
        "on_new_version": "supersede",
        "strategies": [{"dark_launch": {"mirror": "20%", "bake": "3s"}}, _CANARY],
    },
    "switching": {
        "gates": {"success": {"threshold": "http_success_rate", "at_least": "90%", "over": "5s", "min_requests": 50}},
        "strategies": [{"blue_green": {"bake": "3s", "approval": {"count": 1}}}],
    },
    "asking": {
        "on_new_version": "reject",
        "strategies": [
            {"ab_test": {"match": [{"headers": {"x-beta": {"exact": "true"}}}], "bake": "3s", "then": "ask"}}
        ],
    },
}

BETA_SHARE = 20
"""Percent of users that a rule sends to the candidate."""
Wrap = Callable[[Any, str], Any]


def document(service: str) -> dict[str, object]:
    return {
        "service": service,
        "cluster": CLUSTERS[0] if service != "queueing" else list(CLUSTERS),
        "workload": {"process": service, "rollback_window": "20s"},
        "tick": "1s",
        "policy": {
            "on_drift": "alert" if service == "asking" else "correct",
            "no_data": {"hold": "20s", "then": "revert"},
            "low_traffic": "advance",
        },
        "notify": {"memory": service},
        **DOCUMENTS[service],
    }


FENCE = (
    "ledger.holds",
    "ledger.bump_epoch",
    "ledger.settle",
    "ledger.commit",
    "mesh.read",
    "mesh.write",
    "mesh.confirm",
)
"""Where a fault hurts most: uniform choice hardly ever finds the window between a check and a write."""


@dataclass(frozen=True)
class Faults:
    """Chances for each port call: to fail before it does anything, to fail after it did, to kill the caller.

    The `preferred` calls fail ten times as often.
    """

    before: float = 0.0
    after: float = 0.0
    kill: float = 0.0
    preferred: tuple[str, ...] = FENCE


@dataclass
class World:
    """`wrap` lets a mutant put something between the engine and a port."""

    seed: int
    wrap: Wrap = lambda port, name: port
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.seed)
        self.random = self.scheduler.random
        self.happened: Counter[str] = Counter()
        self.clock = SimClock(self.scheduler)
        self.ids = SimIds()
        self.ledger = MemoryLedger(self.clock, fold, remember=8)
        self.watch = Watch(self.ledger, self.scheduler)
        self.chat = MemoryChat()
        self.meshes = {name: self.watch.mesh(MemoryMesh(3)) for name in CLUSTERS}
        self.workloads = SimWorkloads(self.scheduler)
        self.metrics = SimMetrics(self.scheduler, self._live_weight, self._error_rate)
        self.workers: dict[str, Actor] = {}
        self.targets = [self._serve(name, cluster) for name in DOCUMENTS for cluster in _clusters(name)]
        self.quiet = False

    def _serve(self, name: str, cluster: str) -> TargetId:
        record = ServiceRecord(name, document(name), f"digest-{name}", 1, self.clock.now(), Principal("owner"))
        self.ledger.put_service(record)
        target = target_id(name, cluster)
        self.ledger.create_target(Row(Target(target, name, cluster)))
        return target

    def _live_weight(self, target: TargetId) -> int:
        traffic = self.meshes[target.partition("@")[2]].traffic(target, "proxy-0")
        if traffic is None:
            return 0
        return BETA_SHARE if traffic.rules and not traffic.weight else traffic.weight

    @staticmethod
    def _error_rate(version: str) -> float:
        return 0.4 if version.startswith("bad") else 0.001

    # Ports as an actor sees them.

    def port(self, port: Any, name: str) -> Any:
        return self.wrap(Switching(port, name, self.scheduler, self._fault), name)

    def _fault(self, name: str, when: str) -> None:
        actor = self.scheduler.current()
        if actor is None or self.quiet:
            return
        chance = self.faults
        factor = 10 if name in chance.preferred else 1
        if actor.name.startswith("worker") and self.random.random() < chance.kill * factor:
            self.happened[f"kill {when} {name}"] += 1
            self.scheduler.kill(actor)
            self.scheduler.point("killed")
        if self.random.random() < (chance.before if when == "before" else chance.after) * factor:
            self.happened[f"unavailable {when} {name}"] += 1
            raise Unavailable(f"{name} did not answer ({when})")

    def engine(self) -> tuple[Engine, Outbox]:
        """One life of a process: it knows nothing but what the ledger says."""
        ledger = self.port(self.ledger, "ledger")
        clusters = {
            name: Cluster(
                name,
                self.port(self.meshes[name], "mesh"),
                self.port(self.workloads, "workloads"),
                self.port(self.metrics, "metrics"),
            )
            for name in CLUSTERS
        }
        book = Book(ledger, self.clock, parse, compile_plan, frozen)
        telemetry = MemoryTelemetry()
        parts = Parts(ledger, clusters, book, self.clock, self.ids, MemoryHints(), InlineSlots(), telemetry)
        outbox = Outbox(
            ledger, self.ledger, {"memory": self.port(self.chat, "chat")}, self.clock, telemetry, self.ids.owner()
        )
        return assemble(parts), outbox

    # Actors.

    def worker(self, name: str) -> None:
        """Starts a worker; it drains for ever, and survives what its ports raise."""

        def life() -> None:
            engine, outbox = self.engine()
            while True:
                for work in (lambda: engine.drain.run(1.0), outbox.run):
                    try:
                        work()
                    except PortError:
                        self.happened["drain failed"] += 1
                self.scheduler.sleep(250_000)

        self.workers[name] = self.scheduler.spawn(f"worker {name}", life)

    def revive(self) -> None:
        """Workers that were killed are started again, as another life."""
        for name, actor in list(self.workers.items()):
            if actor.dead or actor.run.dead:
                self.worker(name)

    def settle(self, seconds: float) -> None:
        """Lets everything go on with nothing going wrong."""
        self.quiet = True
        for mesh in self.meshes.values():
            mesh.down = False
            mesh.land()
        self.clock.mend()
        self.ledger.lift_stop("*")
        self.revive()
        self.scheduler.run(self.scheduler.monotonic + int(seconds * 1_000_000))


def _clusters(service: str) -> tuple[str, ...]:
    clusters = document(service)["cluster"]
    return tuple(clusters) if isinstance(clusters, list) else (str(clusters),)
