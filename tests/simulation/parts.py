"""The simulated world behind the ports. Mesh and ledger are the memory adapters, with more that can go wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.mesh.memory import Entry, MemoryMesh, Mood, Proxy
from delivery.machine.evolve import evolve, fold
from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.release import Release
from delivery.model.version import Lane, VersionRef
from delivery.ports.chat import Post
from delivery.ports.errors import Refused, Unavailable
from delivery.ports.mesh import Confirmation, Seen, Stamp
from delivery.ports.metrics import Sample, Series, Subject, Unread, Why
from delivery.ports.rows import BEYOND
from delivery.ports.telemetry import Work
from tests.simulation.scheduler import Scheduler


class SimClock:
    """Wall time can be stepped both ways by the nemesis (`skew`); monotonic time cannot.

    `back`: how much longer a lease may last, because the clock went back while it was out.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.skew = self.furthest = self.back = 0

    def step(self, micros: int) -> None:
        """Sets the clock forward or back."""
        self.skew += micros
        if -BEYOND < micros < 0:
            self.back -= micros
        self.furthest = max(self.furthest, self.skew)

    def mend(self) -> None:
        """The clock is right again: not before any time that was ever told."""
        self.skew = self.furthest

    def now(self) -> Micros:
        scheduler = self._scheduler
        return cast(Micros, scheduler.beginning + scheduler.monotonic + self.skew)

    def monotonic(self) -> float:
        return self._scheduler.monotonic / 1_000_000

    def pause(self, seconds: float) -> None:
        if self._scheduler.current() is not None:
            self._scheduler.sleep(int(seconds * 1_000_000))


class SimIds:
    def __init__(self) -> None:
        self._made = self._salted = 0

    def release(self) -> ReleaseId:
        self._made += 1
        return ReleaseId(f"rel_{self._made:06d}")

    def salt(self) -> str:
        self._salted += 1
        return f"{self._salted:032x}"

    def owner(self) -> str:
        self._made += 1
        return f"owner-{self._made}"


class Silent:
    """Telemetry that nobody reads."""

    tracing = False

    def count(self, metric: str, amount: float = 1, **labels: str) -> None: ...

    def observe(self, metric: str, value: float, **labels: str) -> None: ...

    def log(self, event: str, **fields: object) -> None: ...

    def trace(self, within: str, work: Work) -> None: ...


class SimLedger(MemoryLedger):
    """A database that can lose its newest commits. A history is folded once, however often it is asked for."""

    def __init__(self, clock: SimClock) -> None:
        super().__init__(clock, fold, remember=64)
        self._folded: dict[str, Release] = {}

    def keep(self) -> None:
        """What is stored by now cannot be lost."""
        self._journal._past.clear()

    def release_at(self, release: ReleaseId, seq: int) -> Release | None:
        events = self._tables.events.get(release, ())[: max(0, seq)]
        known = len(events)
        while known and events[known - 1].hash not in self._folded:
            known -= 1
        found = self._folded[events[known - 1].hash] if known else None
        for event in events[known:]:
            found = self._folded[event.hash] = evolve(found, event.event)
        return found


class SimMesh(MemoryMesh):
    """`watch` is told of every entry that is about to be stored, whoever stores it.

    `proven` has, for each token that every proxy was found to run, the stamps of what they ran. `stale` is what
    `observe` tells instead of the truth.
    """

    def __init__(self, cluster: str, proxies: int) -> None:
        super().__init__(proxies)
        self.cluster = cluster
        self.watch: Callable[[SimMesh, Entry], None] = lambda mesh, entry: None
        self.proven: dict[tuple[TargetId, ReleaseId, int], tuple[Stamp, ...]] = {}
        self.stale: Mapping[TargetId, Seen] | None = None
        self.hangs = False
        self._joined = proxies

    def confirm(self, target: TargetId, release: ReleaseId, dseq: int) -> Confirmation:
        stamps = [_runs(proxy, target) for proxy in self.proxies.values()]
        found = tuple(one for one in stamps if one is not None and one.release == release and one.dseq >= dseq)
        if len(found) == len(stamps):
            self.proven[target, release, dseq] = found
        return super().confirm(target, release, dseq)

    def observe(self) -> Mapping[TargetId, Seen]:
        fresh = super().observe()
        return fresh if self.stale is None else self.stale

    def age(self) -> None:
        """From now on `observe` tells what is true at this moment."""
        self.stale = super().observe() if not self.down else None

    def mend(self) -> None:
        """Everything works again, and what was under way has arrived."""
        self.down, self.hangs, self.stale = False, False, None
        self._faults.clear()
        self._refusals.clear()
        for name, proxy in self.proxies.items():
            proxy.mood = Mood.TAKING
            self.deliver(name)
        self.land()

    def forget(self, target: TargetId) -> None:
        """The route is gone everywhere."""
        for routes in (self._routes, *(proxy.routes for proxy in self.proxies.values())):
            routes.pop(target, None)

    def exchange(self, gone: str) -> None:
        """A proxy vanishes; another one joins and gets all that is stored."""
        del self.proxies[gone]
        self._joined += 1
        name = f"proxy-{self._joined}"
        self.proxies[name] = Proxy()
        self.deliver(name)

    def stored(self, target: TargetId) -> Entry | None:
        return self._routes.get(target)

    def running(self) -> list[tuple[str, Entry, Proxy]]:
        """Every route on every proxy."""
        return [(name, entry, proxy) for name, proxy in self.proxies.items() for entry in proxy.routes.values()]

    def _store(self, entry: Entry) -> None:
        self.watch(self, entry)
        super()._store(entry)


def _runs(proxy: Proxy, target: TargetId) -> Stamp | None:
    entry = proxy.routes.get(target)
    return entry.stamp if entry else None


BLIND = Unread(Why.STALE, "the newest counter is 90 s old")


@dataclass
class SimMetrics:
    """Counters that grow with simulated time, by the weight that the proxies really run.

    `shares` tells a target's live candidate weight and that of a copy of stable, `rate` requests a second, `errors` the
    error rate of a version. `down`: nobody answers; `hangs`: nor says so soon; `takes`: how long an answer
    takes; `blind`: the answer has no numbers;
    `epoch` grows when a proxy starts its counters anew.
    """

    scheduler: Scheduler
    shares: Callable[[TargetId], tuple[int, int]]
    errors: Callable[[VersionRef], float]
    rate: int = 4000
    down: bool = False
    hangs: bool = False
    takes: int = 0
    blind: bool = False
    epoch: int = 0
    counted: dict[tuple[TargetId, str, str], list[float]] = field(default_factory=dict)
    last: dict[TargetId, int] = field(default_factory=dict)

    def sample(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sample | Unread]:
        if self.down:
            raise Unavailable("the metrics do not answer")
        if self.takes:
            self.scheduler.sleep(self.takes)
        for target in {subject.target for subject in subjects}:
            self._grow(target, [subject for subject in subjects if subject.target == target])
        return {subject: BLIND if self.blind else self._sample(subject) for subject in subjects}

    def restart(self) -> None:
        """Every counter begins at 0 again."""
        self.epoch += 1
        self.counted.clear()

    def _grow(self, target: TargetId, subjects: Sequence[Subject]) -> None:
        elapsed = self.scheduler.monotonic - self.last.get(target, self.scheduler.monotonic)
        self.last[target] = self.scheduler.monotonic
        share, copy = (one / 100 for one in self.shares(target))
        for subject, part in zip(subjects, (share, 1 - share - copy, copy), strict=False):
            counter = self.counted.setdefault(_key(subject), [0.0, 0.0])
            requests = elapsed / 1_000_000 * self.rate * (1.0 if subject.lane is Lane.SHADOW else part)
            counter[0] += requests
            counter[1] += requests * self.errors(subject.backend.version)

    def _sample(self, subject: Subject) -> Sample:
        requests, errors = self.counted.get(_key(subject), [0.0, 0.0])
        return Sample(Micros(self.scheduler.now), {"proxy": Series(int(requests), int(errors), epoch=str(self.epoch))})


def _key(subject: Subject) -> tuple[TargetId, str, str]:
    return (subject.target, subject.backend.name, subject.lane.value)


@dataclass
class SimChat:
    """`down`: nobody answers. `deaf` channels are refused for good. `posts` counts what was delivered, by message."""

    down: bool = False
    deaf: set[str] = field(default_factory=set)
    posts: dict[tuple[ReleaseId, int, str], int] = field(default_factory=dict)

    def deliver(self, post: Post) -> None:
        if self.down:
            raise Unavailable("the chat does not answer")
        if post.channel in self.deaf:
            raise Refused(f"channel_not_found: {post.channel}")
        key = (post.message.release, post.message.seq, post.channel)
        self.posts[key] = self.posts.get(key, 0) + 1
