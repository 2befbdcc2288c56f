"""The people and systems around: CI that sends events, people who press buttons, and the nemesis."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from delivery.adapters.mesh.memory import Fault, Mood
from delivery.engine.answer import Answer, Arrival
from delivery.engine.inbox import Inbox
from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import SECOND, Micros, Principal, ReleaseId
from delivery.model.notice import Again, Notice, ReleaseAction, ReleaseRequested, Says
from delivery.model.release import Release
from delivery.model.signal import Abort, Approve, Pause, PersonSignal, PromoteNow, Reject, Resume
from delivery.model.traffic import Traffic
from delivery.model.version import VersionRef
from delivery.ports.errors import PortError
from delivery.ports.history import Filter
from delivery.ports.ledger import StopOrder
from tests.simulation.world import CLUSTERS, DOCUMENTS, World

STARTER = Principal("ci")
APPROVERS = (Principal("ann"), Principal("bob"))


@dataclass
class Senders:
    """`acknowledged` has every key that was answered, with the answer."""

    world: World
    acknowledged: dict[str, Answer] = field(default_factory=dict)
    versions: int = 0
    keys: int = 0

    def send(self, inbox: Inbox, says: Says, time: Micros | None = None, key: str | None = None) -> Answer:
        """Sends until it is answered, as CI does; the same key again is the same delivery."""
        key = key or self.key()
        arrival = Arrival(Notice("ci", key, f"digest {says}", says, time), b"{}")
        while True:
            try:
                answer = inbox.accept([arrival])[0]
            except PortError:
                self.world.scheduler.sleep(200_000)
                continue
            self.acknowledged.setdefault(key, answer)
            return answer

    def key(self) -> str:
        self.keys += 1
        return f"key-{self.keys:05d}"

    def ci(self) -> None:
        """Sends releases, some twice, some late."""
        world = self.world
        inbox = world.engine()[0].inbox
        while not world.quiet:
            world.scheduler.sleep(world.random.randrange(500_000, 6_000_000))
            self.versions += 1
            kind = "bad" if world.random.random() < 0.3 else "good"
            version = f"{kind}-{self.versions}"
            if self.versions > 3 and world.random.random() < 0.15:
                version = f"good-{world.random.randrange(1, self.versions)}"
            service = world.random.choice(sorted(DOCUMENTS))
            urgent = world.random.random() < 0.1
            says = ReleaseRequested(service, VersionRef(version, version), STARTER, urgent=urgent)
            age = world.random.choice((0, 0, 0, 30 * SECOND))
            time = Micros(world.clock.now() - age)
            key = self.key()
            self.send(inbox, says, time, key)
            if world.random.random() < 0.3:
                self.send(inbox, says, time, key)
                world.happened["delivered twice"] += 1

    def people(self) -> None:
        """Press buttons, mostly sensible ones."""
        world = self.world
        inbox = world.engine()[0].inbox
        while not world.quiet:
            world.scheduler.sleep(world.random.randrange(200_000, 3_000_000))
            found = self.open_releases()
            if found:
                self.press(inbox, world.random.choice(found))
            elif world.random.random() < 0.3:
                self._again(inbox)

    def press(self, inbox: Inbox, release: Release) -> None:
        actor = self.world.random.choice((*APPROVERS, STARTER))
        chances: tuple[tuple[float, Callable[[], PersonSignal]], ...] = (
            (0.55, lambda: Approve(actor, "fine")),
            (0.62, lambda: Pause(actor, "wait")),
            (0.85, lambda: Resume(actor, "go on", admin=True, holds=tuple(hold.kind for hold in release.holds))),
            (0.92, lambda: Abort(actor, "no")),
            (0.95, lambda: Reject(actor, "no")),
            (1.0, lambda: PromoteNow(actor, "hurry")),
        )
        dice = self.world.random.random()
        signal = next(make for chance, make in chances if dice < chance)()
        if isinstance(signal, Resume):
            liftable = tuple(kind for kind in signal.holds if kind not in (HoldKind.APPROVAL, HoldKind.STRAGGLERS))
            signal = replace(signal, holds=liftable or (HoldKind.PAUSE,))
        self.send(inbox, ReleaseAction(release.id, signal))

    def _again(self, inbox: Inbox) -> None:
        page = self.world.ledger.page(Filter(), 10)
        if page:
            stored = self.world.random.choice(page)
            self.send(inbox, Again(stored.release.id, self.world.random.random() < 0.5, STARTER, "again"))

    def open_releases(self) -> list[Release]:
        return [stored.release for stored in self.world.ledger.page(Filter(states=("open",)), 100)]

    def finish(self) -> None:
        """With nothing going wrong any more, gives every release what it waits for."""
        world = self.world
        inbox = world.engine()[0].inbox
        for _ in range(400):
            world.scheduler.sleep(1_000_000)
            found = self.open_releases()
            if not found:
                return
            for release in found:
                self._help(inbox, release)

    def _help(self, inbox: Inbox, release: Release) -> None:
        kinds = {hold.kind for hold in release.holds}
        if HoldKind.APPROVAL in kinds:
            for approver in APPROVERS:
                self.send(inbox, ReleaseAction(release.id, Approve(approver, "fine")))
        liftable = tuple(
            sorted(kinds - {HoldKind.APPROVAL, HoldKind.STOP, HoldKind.STABLE_UNREADY, HoldKind.STRAGGLERS})
        )
        if liftable and release.phase is not Phase.QUEUED:
            self.send(
                inbox, ReleaseAction(release.id, Resume(APPROVERS[0], "after the storm", admin=True, holds=liftable))
            )


@dataclass
class Nemesis:
    """Does one thing after another; what it broke it mends a while later."""

    world: World
    failovers: bool = True

    def body(self) -> None:
        world = self.world
        deeds = [
            self._kill,
            self._mesh_down,
            self._lag,
            self._write_fault,
            self._edit,
            self._clock,
            self._stop,
            self._ready,
        ]
        if self.failovers:
            deeds.append(self._failover)
        while not world.quiet:
            world.scheduler.sleep(world.random.randrange(200_000, 4_000_000))
            deed = world.random.choice(deeds)
            world.happened[deed.__name__.strip("_")] += 1
            deed()

    def _mesh(self) -> object:
        return self.world.meshes[self.world.random.choice(CLUSTERS)]

    def _kill(self) -> None:
        world = self.world
        actor = world.workers[world.random.choice(sorted(world.workers))]
        world.scheduler.kill(actor)
        self._later(world.revive)

    def _mesh_down(self) -> None:
        mesh = self.world.meshes[self.world.random.choice(CLUSTERS)]
        mesh.down = True
        self._later(lambda: setattr(mesh, "down", False))

    def _lag(self) -> None:
        mesh = self.world.meshes[self.world.random.choice(CLUSTERS)]
        name = self.world.random.choice(sorted(mesh.proxies))
        mesh.proxies[name].mood = self.world.random.choice((Mood.LAGGING, Mood.SILENT, Mood.REFUSING))

        def heal() -> None:
            mesh.proxies[name].mood = Mood.TAKING
            mesh.deliver(name)

        self._later(heal)

    def _write_fault(self) -> None:
        mesh = self.world.meshes[self.world.random.choice(CLUSTERS)]
        mesh.fail_next(self.world.random.choice(list(Fault)))
        self._later(mesh.land)

    def _edit(self) -> None:
        """Somebody else changes a route, or takes our stamp off it."""
        world = self.world
        target = world.random.choice(world.targets)
        mesh = world.meshes[target.partition("@")[2]]
        if mesh.traffic(target) is None:
            return
        world.watch.foreign = True
        if world.random.random() < 0.5:
            mesh.edit(target, Traffic(weight=world.random.choice((0, 30, 100))))
        else:
            mesh.strip(target)
        world.watch.foreign = False

    def _clock(self) -> None:
        self.world.clock.step(self.world.random.choice((-3600, 3600, -5, 5)) * SECOND)

    def _stop(self) -> None:
        world = self.world
        world.ledger.put_stop(StopOrder("*", Principal("ops"), "an incident", world.clock.now()))
        self._later(lambda: world.ledger.lift_stop("*"))

    def _ready(self) -> None:
        world = self.world
        running = [key[1] for key in world.workloads.started]
        if running:
            version = world.random.choice(running)
            world.workloads.unready.add(version)
            self._later(lambda: world.workloads.unready.discard(version))

    def _failover(self) -> None:
        """The database fails over and has lost its newest commits."""
        if self.world.random.random() < 0.3:
            self.world.watch.lossy = True
            self.world.happened["commits lost"] += self.world.ledger.lose(self.world.random.randrange(1, 4))

    def _later(self, mend: Callable[[], object]) -> None:
        scheduler = self.world.scheduler
        delay = self.world.random.randrange(500_000, 8_000_000)

        def body() -> None:
            scheduler.sleep(delay)
            mend()

        scheduler.spawn("mender", body)


def released(world: World) -> list[ReleaseId]:
    return [stored.release.id for stored in world.ledger.page(Filter(), 10_000)]
