"""A world in which nothing goes wrong but what a scene says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from delivery.adapters.mesh.memory import Mood
from delivery.engine.answer import Answer
from delivery.model.event import Event, Phase
from delivery.model.ids import Micros, ReleaseId, TargetId, target_id
from delivery.model.notice import Notice, ReleaseAction, ReleaseRequested, Says
from delivery.model.release import Release
from delivery.model.signal import PersonSignal
from delivery.model.version import VersionRef
from tests.simulation.campaign import calm
from tests.simulation.parts import SimClock, SimMesh
from tests.simulation.people import STARTER, People
from tests.simulation.profiles import PROFILES
from tests.simulation.rest import at_rest
from tests.simulation.watch.ghost import InvariantBroken
from tests.simulation.world import World, Wrap, unwrapped

LONGEST = 40.0
"""Seconds that a scene waits for what it expects."""
LOOK = 50_000
TIMEOUT = (50_000, 200_000)


@dataclass
class Play:
    """`service` in `cluster` is what the scene is about; others may run beside it. Times are in seconds."""

    seed: int = 0
    services: tuple[str, ...] = ("queueing",)
    wrap: Wrap = unwrapped
    ledger: Callable[[SimClock], Any] | None = None
    workers: int = 1
    service: str = "queueing"
    cluster: str = "east"
    world: World = field(init=False)
    people: People = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(self.seed, self.services, self.wrap, ledger=self.ledger)
        self.world.timeout = TIMEOUT
        self.people = People(self.world, PROFILES["calm"])
        for number in range(self.workers):
            self.world.worker(f"worker-{number}")
        self.world.scheduler.spawn("bounds", self.world.watch.bounds.body)

    @property
    def target(self) -> TargetId:
        return target_id(self.service, self.cluster)

    @property
    def mesh(self) -> SimMesh:
        return self.world.meshes[self.cluster]

    # What people and systems do, between two points of everybody else.

    def say(self, says: Says, time: int | None = None) -> Answer:
        notice = Notice("play", self.people.key(), f"digest {says}", says, None if time is None else Micros(time))
        return self.people.send(self.world.inbox(), notice)

    def event(self, version: str, *, urgent: bool = False, service: str | None = None) -> ReleaseId:
        """A version is there; the release that it makes."""
        says = ReleaseRequested(service or self.service, VersionRef(version, version), STARTER, self.cluster, urgent)
        answer = self.say(says, self.world.scheduler.now)
        return answer.releases[0] if answer.releases else ReleaseId("")

    def tell(self, release: ReleaseId, signal: PersonSignal) -> Answer:
        return self.say(ReleaseAction(release, signal))

    def restart(self) -> None:
        """Every worker dies and is started again."""
        for process in list(self.world.workers.values()):
            self.world.scheduler.kill(process)
        self.world.revive()

    # Time.

    def go(self, seconds: float) -> None:
        self.world.run(int(seconds * 1_000_000))

    def until(self, condition: Callable[[], object], within: float = LONGEST) -> None:
        """Waits for what the scene expects. Raises AssertionError where it does not come."""
        end = self.world.scheduler.monotonic + within * 1_000_000
        while not condition():
            assert self.world.scheduler.monotonic < end, f"{condition} did not come within {within} s"
            self.world.run(LOOK)

    def reach(self, release: ReleaseId, phase: Phase) -> None:
        self.until(lambda: self.now(release).phase is phase)

    # What there is.

    def now(self, release: ReleaseId) -> Release:
        return self.world.watch.ghost.releases[release]

    def events(self, release: ReleaseId) -> list[Event]:
        return self.world.watch.ghost.events[release]

    def moods(self, mood: Mood) -> None:
        """How every proxy of the cluster behaves from now on."""
        for name, proxy in self.mesh.proxies.items():
            proxy.mood = mood
            if mood is Mood.TAKING:
                self.mesh.deliver(name)

    def end(self) -> list[str]:
        """Everything is mended, helped and ends; what was broken, in words."""
        try:
            calm(self.world, self.people)
            return [*self.world.watch.broken, *at_rest(self.world, self.people)]
        except InvariantBroken:
            return list(self.world.watch.broken)
