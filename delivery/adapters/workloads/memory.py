"""Port Workloads in memory: versions that are ready at once, or do what they are told."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from delivery.model.ids import TargetId
from delivery.model.service import Workload
from delivery.model.version import Endpoint, VersionRef
from delivery.ports.errors import Conflict, Unavailable
from delivery.ports.workloads import EVERYTHING, Need, Running, always

FIRST_PORT = 20_000
Key = tuple[TargetId, str]


@dataclass(frozen=True, slots=True)
class _Home:
    """The owners' own workload. Every change makes another value: two that are one were not written in between."""

    version: VersionRef
    endpoint: Endpoint
    token: str = ""


class MemoryWorkloads:
    """`down` makes every call Unavailable. A version is told apart by its identity.

    `shares` has what each version of ours was last asked to carry, `pinned` the targets whose owners' own workload is
    kept from shrinking. `slow_home`: no change of such a workload gets ready; `broken_home`: why none does ever.
    """

    def __init__(self) -> None:
        self.down = False
        self._running: dict[Key, Endpoint] = {}
        self._scripts: dict[Key, list[Running]] = {}
        self._broken: dict[str, str] = {}
        self._homes: dict[TargetId, _Home] = {}
        self._next_port = FIRST_PORT
        self.shares: dict[Key, int] = {}
        self.pinned: set[TargetId] = set()
        self.slow_home = False
        self.broken_home: str | None = None

    # The port.

    def ensure(self, target: TargetId, workload: Workload, version: VersionRef, need: Need = EVERYTHING) -> Running:
        self._reach()
        if need.home:
            self.pinned.add(target)
            return self._at_home(target, workload, version)
        key = (target, version.identity)
        if key not in self._running:
            self._running[key] = self._endpoint()
        self.shares[key] = need.share
        return self._state(key, workload, version)

    def look(self, target: TargetId, workload: Workload, version: VersionRef, *, home: bool = False) -> Running:
        self._reach()
        if home:
            return self._at_home(target, workload, version)
        return self._state((target, version.identity), workload, version)

    def retire(
        self, target: TargetId, workload: Workload, version: VersionRef, still: Callable[[], bool] = always
    ) -> None:
        self._reach()
        if not still():
            raise Conflict(f"somebody else has {target} by now")
        self._running.pop((target, version.identity), None)

    def current(self, target: TargetId, workload: Workload, candidate: VersionRef | None = None) -> VersionRef | None:
        self._reach()
        return self._homes[target].version if target in self._homes else None

    def promote(
        self,
        target: TargetId,
        workload: Workload,
        version: VersionRef,
        still: Callable[[], bool] = always,
        token: str = "",
    ) -> Running:
        self._reach()
        read = self._homes.get(target)
        if read is not None and (read.version.identity, read.token) != (version.identity, token):
            if not still():
                raise Conflict(f"somebody else has {target} by now")
            if self._homes[target] is not read:
                raise Conflict(f"{workload.name} was changed meanwhile")
            self._homes[target] = replace(read, version=version, token=token)
        if self.broken_home is not None:
            return Running(False, failing=self.broken_home)
        found = self._at_home(target, workload, version)
        return replace(found, ready=False) if self.slow_home else found

    def rest(self, target: TargetId, workload: Workload) -> None:
        self._reach()
        self.pinned.discard(target)

    # The world.

    def script(self, target: TargetId, identity: str, *states: Running) -> None:
        """What the next questions about this version are answered; the last answer stays. None given: as it is."""
        self._scripts[(target, identity)] = list(states)

    def crash(self, target: TargetId, identity: str) -> None:
        """The version ends by itself."""
        self._running.pop((target, identity), None)

    def own(self, target: TargetId, version: VersionRef) -> None:
        """The owners have their own workload run this version."""
        self._homes[target] = _Home(version, self._endpoint())

    def breaks(self, workload: str, reason: str) -> None:
        """No version of this workload can run."""
        self._broken[workload] = reason

    def runs(self, target: TargetId, identity: str) -> bool:
        return (target, identity) in self._running

    def endpoints(self) -> frozenset[Endpoint]:
        """Where something runs."""
        return frozenset((*self._running.values(), *(home.endpoint for home in self._homes.values())))

    def _endpoint(self) -> Endpoint:
        self._next_port += 1
        return Endpoint("127.0.0.1", self._next_port - 1)

    def _at_home(self, target: TargetId, workload: Workload, version: VersionRef) -> Running:
        if workload.name in self._broken:
            return Running(False, failing=self._broken[workload.name])
        home = self._homes.get(target)
        if home is None:
            return Running(False, looked_for=f"{workload.kind} {workload.name}")
        looked_for = f"{workload.kind} {workload.name} to run {version.version}, it runs {home.version.version}"
        ready = home.version.identity == version.identity
        return Running(ready, (home.endpoint,) if ready else (), looked_for=looked_for)

    def _state(self, key: Key, workload: Workload, version: VersionRef) -> Running:
        script = self._scripts.get(key)
        if script:
            return script.pop(0) if len(script) > 1 else script[0]
        if workload.name in self._broken:
            return Running(False, failing=self._broken[workload.name])
        looked_for = f"{workload.kind} {workload.name}, version {version.version}"
        endpoint = self._running.get(key)
        return Running(endpoint is not None, (endpoint,) if endpoint else (), looked_for=looked_for)

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the workloads cannot be reached")
