"""The nemesis: breaks one thing after another while it storms, and mends each a while later."""

from collections.abc import Callable
from typing import Any

from delivery.adapters.mesh.memory import Fault, Mood
from delivery.machine import baseline
from delivery.model.ids import Principal, TargetId
from delivery.model.traffic import Traffic
from delivery.model.version import VersionRef
from delivery.ports.rows import StopOrder
from tests.simulation.parts import SimMesh
from tests.simulation.people import People
from tests.simulation.profiles import Profile
from tests.simulation.services import CLUSTERS, document, is_cloned
from tests.simulation.world import World

CLOCK_STEPS = (-3600, 3600, -5, 5, 60)


class Nemesis:
    """Every deed is counted in `happened` under its name."""

    def __init__(self, world: World, people: People, profile: Profile) -> None:
        self._world, self._people, self._profile = world, people, profile
        self._random = world.random
        self._deeds = [(getattr(self, name), weight) for name, weight in profile.deeds.items()]

    def weather(self) -> None:
        """Storms and lulls."""
        world, profile = self._world, self._profile
        for _ in range(profile.waves):
            world.storming = True
            world.scheduler.sleep(profile.storm)
            world.storming = False
            world.scheduler.sleep(profile.lull)

    def body(self) -> None:
        if not self._deeds:
            return
        world = self._world
        deeds, weights = zip(*self._deeds, strict=True)
        while not world.quiet:
            world.scheduler.sleep(self._random.randrange(*self._profile.gap))
            if world.storming:
                deed: Callable[[], None] = self._random.choices(deeds, weights)[0]
                world.happened[deed.__name__] += 1
                deed()

    # processes

    def kill(self) -> None:
        world = self._world
        world.disturb()
        world.scheduler.kill(world.workers[self._random.choice(sorted(world.workers))])
        self._later(world.revive)

    def suspend(self) -> None:
        world = self._world
        world.disturb()
        world.stall(world.workers[self._random.choice(sorted(world.workers))], whole=True)

    def clock(self) -> None:
        self._world.disturb()
        self._world.clock.step(self._random.choice(CLOCK_STEPS) * 1_000_000)

    def failover(self) -> None:
        """The database fails over: connections are cut, and the newest commits are lost."""
        world = self._world
        world.cut()
        lost = world.ledger.lose(self._random.randrange(1, 40))
        if lost:
            world.disturb()
            world.happened["commits lost"] += lost
            world.watch.lost(world.ledger)

    # the mesh

    def mesh_down(self) -> None:
        mesh = self._mesh()
        mesh.down = True
        self._mended(mesh, lambda: setattr(mesh, "down", False))

    def lag(self) -> None:
        mesh = self._mesh()
        name = self._random.choice(sorted(mesh.proxies))
        mesh.proxies[name].mood = self._random.choice((Mood.LAGGING, Mood.SILENT, Mood.REFUSING))
        self._later(lambda: heal(mesh, name))

    def exchange(self) -> None:
        mesh = self._mesh()
        mesh.exchange(self._random.choice(sorted(mesh.proxies)))

    def write_fault(self) -> None:
        mesh = self._mesh()
        mesh.fail_next(self._random.choice(list(Fault)))
        self._mended(mesh, mesh.land)

    def refuse(self) -> None:
        """A check before the write says no for a while."""
        target = self._random.choice(self._world.targets)
        mesh = self._world.mesh_of(target)
        mesh.refuse(target, "denied by policy")
        self._mended(mesh, lambda: mesh.refuse(target, None))

    def edit(self) -> None:
        """Somebody else changes a route."""
        self._foreign(lambda mesh, target: mesh.edit(target, Traffic(weight=self._random.choice((0, 30, 100)))))

    def strip(self) -> None:
        """Somebody else takes our stamp off a route."""
        self._foreign(lambda mesh, target: mesh.strip(target))

    def stale(self) -> None:
        """A watch tells the same for a while, whatever happens."""
        mesh = self._mesh()
        mesh.age()
        self._mended(mesh, lambda: setattr(mesh, "stale", None))

    # what runs, what is measured, who is told

    def unready(self) -> None:
        self._in_trouble("unready")

    def crash(self) -> None:
        self._in_trouble("crashed")

    def _in_trouble(self, what: str) -> None:
        """Something happens to a version that a release needs."""
        running = self._world.watch.ghost.running()
        if not running:
            return
        release = self._random.choice(running)
        stable = release.bound.stable if release.bound else None
        version = self._random.choice((release.candidate, stable or release.candidate)).version
        troubled: set[str] = getattr(self._world.workloads[release.target.partition("@")[2]], what)
        troubled.add(version)
        self._later(lambda: troubled.discard(version))

    def orphan(self) -> None:
        """A copy of stable that a candidate is compared with dies for a while."""
        copies = [(one, copy) for one in self._world.watch.ghost.running() if (copy := baseline.version(one))]
        if not copies:
            return
        release, copy = self._random.choice(copies)
        gone = self._world.workloads[release.target.partition("@")[2]].gone
        gone.setdefault(copy.identity, self._world.scheduler.monotonic)
        self._later(lambda: gone.pop(copy.identity, None))

    def fault(self) -> None:
        """A fault of ours: what is asked of the workloads raises, for one target, for a while."""
        target = self._random.choice(self._world.targets)
        faulty = self._world.workloads[target.partition("@")[2]].faulty
        faulty.setdefault(target, 0)
        self._later(lambda: faulty.pop(target, None))

    def redeploy(self) -> None:
        """The owners have their own workload run something else for a while."""
        world = self._world
        cloned = [target for target in world.targets if is_cloned(target.partition("@")[0])]
        target = self._random.choice(cloned)
        workloads = world.workloads[target.partition("@")[2]]
        before, world.hands = workloads.homes[target].version, world.hands + 1
        workloads.own(target, VersionRef(f"hand-{world.hands}", f"hand-{world.hands}"))
        changed = workloads.homes[target]

        def back() -> None:
            if workloads.homes[target] is changed:
                workloads.own(target, before)

        self._later(back)

    def unreachable(self) -> None:
        workloads = self._world.workloads[self._random.choice(CLUSTERS)]
        workloads.down = True
        self._later(lambda: setattr(workloads, "down", False))

    def metrics(self) -> None:
        metrics = self._world.metrics[self._random.choice(CLUSTERS)]
        what = self._random.choice(("down", "blind"))
        setattr(metrics, what, True)
        self._later(lambda: setattr(metrics, what, False))

    def hang(self) -> None:
        """Something takes every call and answers none for a while."""
        world, cluster = self._world, self._random.choice(CLUSTERS)
        what: Any = self._random.choice((world.metrics, world.hooks, world.workloads))[cluster]
        what.hangs = True
        self._later(lambda: setattr(what, "hangs", False))

    def restart(self) -> None:
        self._world.metrics[self._random.choice(CLUSTERS)].restart()

    def chat(self) -> None:
        chat = self._world.chat
        chat.down = True
        self._later(lambda: setattr(chat, "down", False))

    def silence(self) -> None:
        """What hooks call does not answer for a while."""
        hooks = self._world.hooks[self._random.choice(CLUSTERS)]
        hooks.down = True
        self._later(lambda: setattr(hooks, "down", False))

    # orders

    def stop(self) -> None:
        world = self._world
        world.ledger.put_stop(StopOrder("*", Principal("ops"), "an incident", world.clock.now()))
        self._later(lambda: world.ledger.lift_stop("*"))

    def apply(self) -> None:
        """A service file is applied while releases run; plans of those stay."""
        name = self._random.choice(self._world.services)
        bake = self._random.choice(("800ms", "1s"))
        changed = document(name)
        for strategy in changed["strategies"]:
            for kind, section in strategy.items():
                strategy[kind] = {**section, "bake": bake}
        self._world.apply(name, changed)

    def monitor(self) -> None:
        self._world.scheduler.spawn("monitor", self._people.monitor)

    def _mesh(self) -> SimMesh:
        return self._world.meshes[self._random.choice(CLUSTERS)]

    def _foreign(self, deed: Callable[[SimMesh, TargetId], None]) -> None:
        world = self._world
        target = self._random.choice(world.targets)
        mesh = world.mesh_of(target)
        if mesh.stored(target) is None:
            return
        world.disturb(mesh.cluster)
        world.watch.routes.foreign = True
        deed(mesh, target)
        world.watch.routes.foreign = False

    def _mended(self, mesh: SimMesh, mend: Callable[[], object]) -> None:
        """What keeps a write away: until it is mended nothing can be expected of this cluster."""
        world = self._world

        def mended() -> None:
            mend()
            world.hampered[mesh.cluster] -= 1
            world.disturb(mesh.cluster)

        world.hampered[mesh.cluster] += 1
        self._later(mended)

    def _later(self, mend: Callable[[], object]) -> None:
        scheduler = self._world.scheduler
        delay = self._random.randrange(*self._profile.lasts)

        def body() -> None:
            scheduler.sleep(delay)
            mend()

        scheduler.spawn("mender", body)


def heal(mesh: SimMesh, name: str) -> None:
    """The proxy takes everything again, if it is still there."""
    if name in mesh.proxies:
        mesh.proxies[name].mood = Mood.TAKING
        mesh.deliver(name)
