"""What runs in the simulated world: versions that we start, and the owners' own workloads where they keep one."""

from collections.abc import Callable
from dataclasses import dataclass, field

from delivery.model.ids import TargetId
from delivery.model.service import Workload
from delivery.model.version import Endpoint, VersionRef
from delivery.ports.errors import Conflict, Refused, Unavailable
from delivery.ports.workloads import EVERYTHING, Need, Running, always
from tests.simulation.scheduler import Scheduler

ADDRESS = Endpoint("127.0.0.1", 9000)
FAULT = "a fault of ours"
Key = tuple[TargetId, str]


@dataclass(frozen=True)
class Own:
    """The owners' own workload. It runs `version`, and nothing else, from `since` on. `ours`: we had it do so."""

    version: VersionRef
    since: int
    token: str = ""
    ours: bool = False


@dataclass
class SimWorkloads:
    """A version is ready for a share `takes` after it was first asked for it. `missing-*` never appears, `broken-*`
    cannot start.

    `unready` and `crashed` are what the nemesis did; `gone` has copies of stable (by identity) of which none answers,
    each with since when; `faulty` the targets at which a fault of ours raises, each with how often it did. `watch` is
    told of every version that is retired, `watch_home` of every version that we are about to have the owners run.
    `writing` is between the last question and that write.
    """

    scheduler: Scheduler
    takes: int = 300_000
    unready: set[str] = field(default_factory=set)
    crashed: set[str] = field(default_factory=set)
    gone: dict[str, int] = field(default_factory=dict)
    faulty: dict[TargetId, int] = field(default_factory=dict)
    asked: dict[Key, dict[int, int]] = field(default_factory=dict)
    homes: dict[TargetId, Own] = field(default_factory=dict)
    watch: Callable[[TargetId, VersionRef], None] = lambda target, version: None
    watch_home: Callable[[TargetId, VersionRef], None] = lambda target, version: None
    writing: Callable[[], None] = lambda: None
    down: bool = False
    hangs: bool = False

    def ensure(self, target: TargetId, workload: Workload, version: VersionRef, need: Need = EVERYTHING) -> Running:
        self._reach()
        if target in self.faulty:
            self.faulty[target] += 1
            raise ZeroDivisionError(FAULT)
        if need.home:
            return self.look(target, workload, version, home=True)
        self.asked.setdefault((target, version.identity), {}).setdefault(need.share, self.scheduler.monotonic)
        return self._state(version, self.carries(target, version) >= need.share, f"version {version.version}")

    def look(self, target: TargetId, workload: Workload, version: VersionRef, *, home: bool = False) -> Running:
        self._reach()
        if not home:
            return self._state(version, self.carries(target, version) > 0, f"version {version.version}")
        own = self.homes.get(target)
        runs = own.version.version if own else "nothing"
        return self._state(version, self.at_home(target, version), f"{version.version} at home, where {runs} runs")

    def retire(
        self, target: TargetId, workload: Workload, version: VersionRef, still: Callable[[], bool] = always
    ) -> None:
        """The call may have taken its time since the engine asked."""
        self._reach()
        if not still():
            raise Conflict(f"somebody else has {target} by now")
        self.watch(target, version)
        self.asked.pop((target, version.identity), None)

    def current(self, target: TargetId, workload: Workload, candidate: VersionRef | None = None) -> VersionRef | None:
        self._reach()
        if target not in self.homes:
            raise Refused(f"there is no workload of its owners for {target}")
        return self.homes[target].version

    def promote(
        self,
        target: TargetId,
        workload: Workload,
        version: VersionRef,
        still: Callable[[], bool] = always,
        token: str = "",
    ) -> Running:
        self._reach()
        read = self.homes[target]
        if (read.version, read.token) != (version, token):
            if not still():
                raise Conflict(f"somebody else has {target} by now")
            self.writing()
            if self.homes[target] is not read:
                raise Conflict(f"the workload of {target} was changed meanwhile")
            self.watch_home(target, version)
            since = read.since if read.version == version else self.scheduler.monotonic + self.takes
            self.homes[target] = Own(version, since, token, ours=True)
        return self.look(target, workload, version, home=True)

    def rest(self, target: TargetId, workload: Workload) -> None:
        self._reach()

    # The world.

    def own(self, target: TargetId, version: VersionRef) -> None:
        """The owners have their own workload run this version."""
        self.homes[target] = Own(version, self.scheduler.monotonic)

    def carries(self, target: TargetId, version: VersionRef) -> int:
        """Percent of the traffic that our instances of the version can carry by now."""
        now, asked = self.scheduler.monotonic, self.asked.get((target, version.identity), {})
        return max((share for share, since in asked.items() if now - since >= self.takes), default=0)

    def answers(self, version: VersionRef) -> bool:
        """Whether some instance of it answers, enough of them or not."""
        sizes = [asked for (_, identity), asked in self.asked.items() if identity == version.identity]
        now = self.scheduler.monotonic
        return any(now - since >= self.takes for asked in sizes for since in asked.values())

    def at_home(self, target: TargetId, version: VersionRef) -> bool:
        """Whether the owners' workload runs this version and no other."""
        own = self.homes.get(target)
        return own is not None and own.version == version and own.since <= self.scheduler.monotonic

    def _state(self, version: VersionRef, runs: bool, looked_for: str) -> Running:
        if version.version in self.crashed or version.version.startswith("broken"):
            return Running(False, failing=f"{version.version} exits with 1")
        if version.identity in self.gone:
            return Running(False, looked_for=f"a copy of {version.version}")
        if not runs or version.version in self.unready or version.version.startswith("missing"):
            return Running(False, looked_for=looked_for, answers=version.is_copy and self.answers(version))
        return Running(True, (ADDRESS,))

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the workloads cannot be reached")
