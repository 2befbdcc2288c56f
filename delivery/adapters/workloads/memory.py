"""Port Workloads in memory: versions that are ready at once, or do what they are told."""

from delivery.model.ids import TargetId
from delivery.model.service import Workload
from delivery.model.version import Endpoint, VersionRef
from delivery.ports.errors import Unavailable
from delivery.ports.workloads import Running

FIRST_PORT = 20_000
Key = tuple[TargetId, str]


class MemoryWorkloads:
    """`down` makes every call Unavailable. A version is told apart by its identity."""

    def __init__(self) -> None:
        self.down = False
        self._running: dict[Key, Endpoint] = {}
        self._scripts: dict[Key, list[Running]] = {}
        self._broken: dict[str, str] = {}
        self._next_port = FIRST_PORT

    # The port.

    def ensure(self, target: TargetId, workload: Workload, version: VersionRef) -> Running:
        self._reach()
        key = (target, version.identity)
        if key not in self._running:
            self._running[key] = Endpoint("127.0.0.1", self._next_port)
            self._next_port += 1
        return self._state(key, workload, version)

    def look(self, target: TargetId, workload: Workload, version: VersionRef) -> Running:
        self._reach()
        return self._state((target, version.identity), workload, version)

    def retire(self, target: TargetId, workload: Workload, version: VersionRef) -> None:
        self._reach()
        self._running.pop((target, version.identity), None)

    # The world.

    def script(self, target: TargetId, identity: str, *states: Running) -> None:
        """What the next questions about this version are answered; the last answer stays. None given: as it is."""
        self._scripts[(target, identity)] = list(states)

    def crash(self, target: TargetId, identity: str) -> None:
        """The version ends by itself."""
        self._running.pop((target, identity), None)

    def breaks(self, workload: str, reason: str) -> None:
        """No version of this workload can run."""
        self._broken[workload] = reason

    def runs(self, target: TargetId, identity: str) -> bool:
        return (target, identity) in self._running

    def endpoints(self) -> frozenset[Endpoint]:
        """Where something runs."""
        return frozenset(self._running.values())

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
