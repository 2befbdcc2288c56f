"""Many targets in the middle of a bake, over a real database and the memory mesh and workloads."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.load.world import CANDIDATE, STABLE, SteadyMetrics
from delivery.adapters.clock.system import SystemClock
from delivery.adapters.hints.none import NoHints
from delivery.adapters.ids import UlidIds
from delivery.adapters.ledger.sql import SqlLedger
from delivery.adapters.mesh.memory import MemoryMesh
from delivery.adapters.slots import InlineSlots, ThreadSlots
from delivery.adapters.telemetry.prometheus import PrometheusTelemetry
from delivery.adapters.workloads.memory import MemoryWorkloads
from delivery.catalog.freeze import frozen
from delivery.engine.answer import Arrival
from delivery.engine.book import Book
from delivery.engine.cluster import Cluster
from delivery.engine.parts import Parts
from delivery.machine.evolve import fold
from delivery.model.codec import digest
from delivery.model.event import Phase
from delivery.model.ids import Principal, target_id
from delivery.model.notice import Notice, ReleaseRequested
from delivery.model.target import Target
from delivery.ports.history import Filter
from delivery.ports.rows import Row, ServiceRecord
from delivery.ports.slots import Slots
from delivery.strategies.plan import compile_plan
from delivery.wiring import Engine, assemble, parse

CLUSTER = "local"
Gates = Mapping[str, Mapping[str, object]]
BATCH = 100
WITHIN = 120.0
BAKING = Filter(states=(Phase.BAKING.value,))


ONE_GATE: Gates = {"errors": {"ratio": "http_errors"}}
"""What a service file gets that names none."""
TWO_GATES: Gates = {
    "errors": {"ratio": "http_errors", "worse_than": 1.1, "objective": "1%", "min_requests": 500},
    "latency": {"latency": "http_duration", "above": ["250ms", "500ms"], "worse_than": 1.2},
}
"""Four tests: errors against stable and against an objective, two latency bounds against stable."""


def document(service: str, gates: Gates) -> dict[str, object]:
    """A canary that is always due, and bakes longer than any measurement lasts."""
    return {
        "service": service,
        "cluster": CLUSTER,
        "workload": {"process": service},
        "tick": "100ms",
        "strategies": [{"canary": {"steps": ["5%", "50%"], "bake": "4h", "gates": list(gates)}}],
        "gates": gates,
    }


@dataclass
class Fleet:
    """`names` are services, each with one target. A forked process has the mesh as it was at the fork."""

    url: str
    names: Sequence[str]
    gates: Gates = field(default_factory=lambda: ONE_GATE)
    mesh: MemoryMesh = field(default_factory=MemoryMesh)
    workloads: MemoryWorkloads = field(default_factory=MemoryWorkloads)

    def __post_init__(self) -> None:
        self.ledger = SqlLedger(self.url, fold=fold)

    def engine(self, slots: Slots | None = None) -> Engine:
        """One life of a worker."""
        clock = SystemClock()
        cluster = Cluster(CLUSTER, self.mesh, self.workloads, SteadyMetrics())
        book = Book(self.ledger, clock, parse, compile_plan, frozen)
        telemetry = PrometheusTelemetry()
        return assemble(
            Parts(self.ledger, {CLUSTER: cluster}, book, clock, UlidIds(), NoHints(), slots or ThreadSlots(), telemetry)
        )

    def apply(self) -> None:
        """Applies the services; version 1.4.1 is stable in each."""
        now = SystemClock().now()
        for name in self.names:
            content = document(name, self.gates)
            self.ledger.put_service(ServiceRecord(name, content, digest(content), 1, now, Principal("bench")))
            self.ledger.create_target(Row(Target(target_id(name, CLUSTER), name, CLUSTER, stable=STABLE)))

    def release(self) -> None:
        """Asks for version 1.4.2 everywhere, and drains until every release bakes."""
        engine, now = self.engine(InlineSlots()), SystemClock().now()  # no threads: this process is to be forked
        notices = [
            Notice("bench", name, name, ReleaseRequested(name, CANDIDATE, Principal("ci"), CLUSTER), now)
            for name in self.names
        ]
        for first in range(0, len(notices), BATCH):
            engine.inbox.accept([Arrival(notice, b"{}") for notice in notices[first : first + BATCH]])
        until = time.monotonic() + WITHIN
        while (baking := len(self.ledger.page(BAKING, len(self.names)))) < len(self.names):
            if time.monotonic() > until:
                raise RuntimeError(f"only {baking} of {len(self.names)} releases came to bake")
            engine.drain.run(1.0)

    def ticks(self) -> int:
        """Ticks that the database has, of all releases."""
        page = self.ledger.page(BAKING, len(self.names))
        return sum(one.tick for stored in page if (one := self.ledger.measuring(stored.release.id)))
