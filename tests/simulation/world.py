"""The simulated world: two clusters, several services, worker processes that come and go, and what goes wrong."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from delivery.adapters.hints.memory import MemoryHints
from delivery.catalog.freeze import frozen
from delivery.engine.book import Book
from delivery.engine.cluster import Cluster
from delivery.engine.inbox import Inbox
from delivery.engine.outbox import Outbox, Receivers
from delivery.engine.parts import Parts
from delivery.model.ids import Principal, TargetId
from delivery.model.target import Target
from delivery.model.version import VersionRef
from delivery.ports.errors import PortError, Unavailable
from delivery.ports.rows import Row, ServiceRecord
from delivery.wiring import drains
from tests.simulation import services
from tests.simulation.hooks import SimHooks
from tests.simulation.parts import Silent, SimChat, SimClock, SimIds, SimLedger, SimMesh, SimMetrics
from tests.simulation.profiles import Faults
from tests.simulation.scheduler import Actor, GreenSlots, Process, Scheduler, Switching
from tests.simulation.services import BETA_SHARE, CLUSTERS
from tests.simulation.watch.watch import Watch
from tests.simulation.workloads import SimWorkloads

Wrap = Callable[[Any, str], Any]
"""Lets a mutant put something between the engine and a port, by the port's name."""
PROXIES = 3
IDLE, BUSY = 250_000, 50_000
STALL = (9_000_000, 20_000_000)
TIMEOUT = (300_000, 2_000_000)
"""How long a call to something that does not answer takes."""
HANG = (4_000_000, 20_000_000)
"""How long a call to something that takes every connection and says nothing takes."""


NO_FAULTS = Faults()


def unwrapped(port: Any, name: str) -> Any:
    return port


class World:
    """`ledger(clock)` makes another ledger than the one in memory. Faults happen while `storming`.

    `disturbed` has, for each cluster, when something last went wrong that may cost a lease; in one that is `hampered`
    (by so many deeds) nothing can be expected.
    """

    def __init__(
        self,
        seed: int,
        names: Iterable[str],
        wrap: Wrap = unwrapped,
        faults: Faults = NO_FAULTS,
        ledger: Callable[[SimClock], Any] | None = None,
    ) -> None:
        self.wrap, self.faults = wrap, faults
        self.scheduler = Scheduler(seed)
        self.random = self.scheduler.random
        self.happened: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.counting = False
        self.clock = SimClock(self.scheduler)
        self.ids = SimIds()
        self.ledger: Any = (ledger or SimLedger)(self.clock)
        self.chat = SimChat()
        self.meshes = {name: SimMesh(name, PROXIES) for name in CLUSTERS}
        self.workloads = {name: SimWorkloads(self.scheduler) for name in CLUSTERS}
        self.hooks = {name: SimHooks(self.scheduler) for name in CLUSTERS}
        for one in self.workloads.values():
            one.writing = partial(self._writing, one)
        self.metrics = {name: SimMetrics(self.scheduler, self._live_shares, self._error_rate) for name in CLUSTERS}
        self.workers: dict[str, Process] = {}
        self.storming = self.quiet = False
        self.hands = 0
        self.timeout = TIMEOUT
        self.disturbed = dict.fromkeys(CLUSTERS, 0)
        self.hampered = Counter[str]()
        self._cut: set[Actor] = set()
        self.trigger: Callable[[Actor, str], None] | None = None
        self.watch = Watch(self)
        self.services = tuple(names)
        self.targets = [self._serve(target) for target in services.targets(self.services)]
        if ledger is None:
            self.ledger.keep()

    def _serve(self, target: TargetId) -> TargetId:
        name, _, cluster = target.partition("@")
        if self.ledger.service(name) is None:
            self.apply(name, services.document(name))
        self.ledger.create_target(Row(Target(target, name, cluster)))
        if services.is_cloned(name):
            self.workloads[cluster].own(target, services.FIRST)
        return target

    def reopen(self, ledger: Any) -> None:
        """Whoever starts from now on finds the stored data through another connection."""
        self.ledger = self.watch.over(ledger)

    def apply(self, name: str, document: Any) -> None:
        """Somebody applies a service file."""
        stored = self.ledger.service(name)
        revision = stored.revision + 1 if stored else 1
        record = ServiceRecord(
            name, document, f"digest-{name}-{revision}", revision, self.clock.now(), Principal("owner")
        )
        self.ledger.put_service(record)

    def mesh_of(self, target: TargetId) -> SimMesh:
        return self.meshes[target.partition("@")[2]]

    def row(self, target: TargetId) -> Row:
        return next(row for row in self.ledger.rows(target.partition("@")[0]) if row.target.id == target)

    def _live_shares(self, target: TargetId) -> tuple[int, int]:
        """What candidate and copy of stable really get."""
        mesh = self.mesh_of(target)
        traffic = mesh.traffic(target, next(iter(mesh.proxies)))
        if traffic is None:
            return 0, 0
        weight = BETA_SHARE if traffic.rules and not traffic.weight else traffic.weight
        return weight, traffic.baseline or 0

    def _error_rate(self, version: VersionRef) -> float:
        if any(version.identity in one.gone for one in self.workloads.values()):
            return 1.0
        return 0.4 if version.version.startswith("bad") else 0.001

    @property
    def mishaps(self) -> int:
        """What may have a message sent twice: crashes, answers that got lost, commits that got lost."""
        kinds = ("kill", "unavailable", "stall", "suspend", "commits lost")
        return sum(count for name, count in self.happened.items() if name.startswith(kinds))

    # Ports as an actor sees them.

    def port(self, port: Any, name: str) -> Any:
        return self.wrap(Switching(port, name, self.scheduler, self._fault), name)

    def disturb(self, *clusters: str) -> None:
        """Something went wrong: what must happen within a time counts from now on."""
        for cluster in clusters or CLUSTERS:
            self.disturbed[cluster] = self.scheduler.monotonic

    def _writing(self, workloads: SimWorkloads) -> None:
        """A write of an owners' workload is under way."""
        self.scheduler.point("workloads.write")
        self._fault(workloads, "workloads.write", "before")

    def _begun(self, port: Any, name: str) -> None:
        """A call is made; one to what is down takes its time."""
        if self.counting:
            self.calls[name] += 1
        if getattr(port, "down", False):
            self.scheduler.sleep(self.random.randrange(*self.timeout))
        if getattr(port, "hangs", False) and name != "mesh.observe":  # which is told by a watch
            self.happened[f"hangs {name}"] += 1
            self.scheduler.sleep(self.random.randrange(*HANG))
            raise Unavailable(f"{name} took too long")

    def _fault(self, port: Any, name: str, when: str) -> None:
        actor = self.scheduler.current()
        if actor is None:
            return
        if when == "before":
            self._begun(port, name)
        if self.trigger is not None:
            self.trigger(actor, f"{when} {name}")
        if self._cut and actor in self._cut and name.startswith("ledger."):
            self._cut.discard(actor)
            self.disturb()
            raise Unavailable("the connection was cut")
        if self.storming:
            self._chance(actor, name, when)

    def _chance(self, actor: Actor, name: str, when: str) -> None:
        faults, dice = self.faults, self.random.random()
        if name in faults.preferred:
            dice /= faults.factor
        fails = faults.before if when == "before" else faults.after
        if dice < fails:
            self.happened[f"unavailable {when} {name}"] += 1
            self.disturb()
            raise Unavailable(f"{name} did not answer ({when})")
        if actor.process in self.workers.values():
            self._worker_fault(actor.process, dice - fails, f"{when} {name}")

    def _worker_fault(self, process: Process, dice: float, where: str) -> None:
        if dice < self.faults.kill:
            self.happened[f"kill {where}"] += 1
            self.disturb()
            self._later(self.random.randrange(1_000_000), self.revive)
            self.scheduler.kill(process)
        elif dice < self.faults.kill + self.faults.stall:
            self.happened[f"stall {where}"] += 1
            self.disturb()
            self.stall(process, whole=self.random.random() < 0.5)

    def stall(self, process: Process, *, whole: bool) -> None:
        """The process, or only the call that is being made, stands still for longer than a lease; others of it may for
        longer still.
        """
        micros = self.random.randrange(*STALL)
        process.hangs_until = max(process.hangs_until, self.scheduler.monotonic + micros)
        if whole:
            self.scheduler.stop(process, micros)
        else:
            self.scheduler.sleep(micros)

    def cut(self) -> None:
        """Every connection to the database ends: whoever is in the middle of something is told so."""
        self._cut = set(self.scheduler.actors)

    def _later(self, micros: int, deed: Callable[[], object]) -> None:
        def body() -> None:
            self.scheduler.sleep(micros)
            deed()

        self.scheduler.spawn("mender", body)

    # Actors.

    def parts(self) -> Parts:
        """What one life of a process is made of: it knows nothing but what the ledger says."""
        ledger = self.port(self.ledger, "ledger")
        clusters = {
            name: Cluster(
                name,
                self.port(self.meshes[name], "mesh"),
                self.port(self.workloads[name], "workloads"),
                self.port(self.metrics[name], "metrics"),
                hooks={"http": self.port(self.hooks[name], "hooks")},
            )
            for name in CLUSTERS
        }
        book = Book(ledger, self.clock, services.parse_once, services.plan_of, frozen)
        slots = GreenSlots(self.scheduler, lambda key: Unavailable(f"{key} did not answer in time"))
        return Parts(ledger, clusters, book, self.clock, self.ids, MemoryHints(), slots, Silent())

    def inbox(self) -> Inbox:
        """One life of an API process."""
        return Inbox(self.parts())

    def outbox(self, parts: Parts) -> Outbox:
        chats = {"memory": self.port(self.chat, "chat")}
        return Outbox(parts.ledger, self.ledger, Receivers(chats), parts.book, self.clock, Silent(), self.ids.owner())

    def worker(self, name: str, *, old: bool = False) -> None:
        """Starts a worker process: as in production a thread for each cluster drains, and another one sends."""
        process = self.workers[name] = Process(name, old)
        parts = self.parts()
        for drain in drains(parts).values():
            self.scheduler.spawn(process.name, self._loop(process, partial(drain.run, 1.0), IDLE), process)
        self.scheduler.spawn(process.name, self._loop(process, self.outbox(parts).run, 2 * IDLE), process)

    def _loop(self, process: Process, work: Callable[[], int], idle: int) -> Callable[[], None]:
        def life() -> None:
            while True:
                try:
                    more = work()
                except PortError:
                    self.happened["drain failed"] += 1
                    process.failed = self.scheduler.monotonic
                    more = 0
                self.scheduler.sleep(BUSY if more else idle)

        return life

    def revive(self) -> None:
        """Workers that were killed are started again, as another life."""
        for name, process in list(self.workers.items()):
            if process.dead:
                self.worker(name, old=process.old)

    def mend(self) -> None:
        """Nothing goes wrong any more."""
        self.quiet, self.storming = True, False
        for cluster in CLUSTERS:
            self.mend_cluster(cluster)
        self.clock.mend()
        self.chat.down = False
        self.ledger.lift_stop("*")
        self.revive()

    def mend_cluster(self, cluster: str) -> None:
        workloads, metrics, hooks = self.workloads[cluster], self.metrics[cluster], self.hooks[cluster]
        self.meshes[cluster].mend()
        workloads.down = metrics.down = metrics.blind = hooks.down = False
        workloads.hangs = metrics.hangs = hooks.hangs = False
        hooks.moods.clear()
        self.hampered[cluster] = 0
        workloads.unready.clear()
        workloads.crashed.clear()
        workloads.gone.clear()
        workloads.faulty.clear()

    def run(self, micros: int) -> None:
        """Lets this much simulated time go by."""
        self.scheduler.run(self.scheduler.monotonic + micros)
