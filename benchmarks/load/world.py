"""The world behind the ports of the processes that are measured: without a network, and one world for all of them.

A tick does what it does in production but for waiting: the route is compared by what is known of it from a watch, the
counters of both versions are read, carried and judged. Importing this does nothing; `offer` puts it behind the names of
the memory adapters.
"""

import fcntl
import os
import pickle
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from delivery import registry
from delivery.adapters.clock.system import SystemClock
from delivery.adapters.mesh.memory import Entry, MemoryMesh
from delivery.adapters.metrics.memory import BUCKETS_MS
from delivery.adapters.workloads.memory import Key, MemoryWorkloads
from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.series import Sample, Series
from delivery.model.service import Workload
from delivery.model.version import Backend, Endpoint, Lane, VersionRef
from delivery.ports.mesh import Confirmation, Live, Route, Seen, Stamp
from delivery.ports.metrics import Subject
from delivery.ports.workloads import Running
from delivery.registry import Surroundings

STABLE, CANDIDATE = VersionRef.of("1.4.1"), VersionRef.of("1.4.2")
HERE = Endpoint("127.0.0.1", 20_000)
"""Where every version runs: all processes have to say the same."""


class SharedMesh(MemoryMesh):
    """The memory mesh of several processes: each change is a record of one file, which all of them follow, as they
    would follow a watch. Writers take turns by a lock on it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(1)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        weakref.finalize(self, os.close, self._file)
        self._known = 0
        self._turn = threading.RLock()
        self._told: tuple[int, Mapping[TargetId, Seen]] = (-1, {})

    def read(self, target: TargetId) -> Live:
        self._follow()
        return super().read(target)

    def write(self, route: Route, stamp: Stamp, expect: str) -> Live:
        with self._alone():
            return super().write(route, stamp, expect)

    def confirm(self, target: TargetId, release: ReleaseId, dseq: int) -> Confirmation:
        self._follow()
        return super().confirm(target, release, dseq)

    def publish(self, target: TargetId, backend: Backend, endpoints: tuple[Endpoint, ...]) -> bool:
        self._follow()
        if any(self._backends.get(backend.lane(lane)) != endpoints for lane in Lane):
            with self._alone():
                self._append("publish", target, backend, endpoints)
        return super().publish(target, backend, endpoints)

    def withdraw(self, target: TargetId, backend: Backend) -> None:
        with self._alone():
            super().withdraw(target, backend)
            self._append("withdraw", target, backend)

    def observe(self) -> Mapping[TargetId, Seen]:
        """Made anew only where something changed, as where a watch is behind it."""
        self._follow()
        with self._turn:
            if self._told[0] != self._rev:
                self._told = self._rev, super().observe()
            return self._told[1]

    def _store(self, entry: Entry) -> None:
        super()._store(entry)
        self._append("store", entry)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._turn:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                self._follow()
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _append(self, *record: object) -> None:
        body = pickle.dumps(record)
        self._known += os.write(self._file, len(body).to_bytes(4) + body)

    def _follow(self) -> None:
        with self._turn:
            if (end := os.fstat(self._file).st_size) == self._known:
                return
            data, begin = memoryview(os.pread(self._file, end - self._known, self._known)), 0
            while begin + 4 <= len(data) and (whole := begin + 4 + int.from_bytes(data[begin : begin + 4])) <= len(
                data
            ):
                self._replay(*pickle.loads(data[begin + 4 : whole]))
                begin = whole
            self._known += begin

    def _replay(self, kind: str, *said: object) -> None:
        changes: dict[str, Callable[..., object]] = {
            "store": super()._store,
            "publish": super().publish,
            "withdraw": super().withdraw,
        }
        changes[kind](*said)


class ReadyWorkloads(MemoryWorkloads):
    """Every version that is asked for is ready, in whichever process."""

    def _state(self, key: Key, workload: Workload, version: VersionRef) -> Running:
        self._running.setdefault(key, HERE)
        return super()._state(key, workload, version)

    def _endpoint(self) -> Endpoint:
        return HERE


class SteadyMetrics:
    """Counters that grow with the clock: 1 000 requests a second, a 20th to the candidate, 0.2 % fail, 1 % is slow.

    The shipped memory adapter adds up what a world told it, for all targets at every look; this costs the same however
    many there are.
    """

    def __init__(self, now: Callable[[], Micros] | None = None) -> None:
        self._now = now or SystemClock().now

    def sample(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sample]:
        now = self._now()
        return {subject: Sample(now, {"proxy": _series(subject, now)}) for subject in subjects}


def _series(subject: Subject, now: int) -> Series:
    requests = now // (20_000 if subject.backend.version == CANDIDATE else 1_053)
    slow = requests // 100
    return Series(requests, requests // 500, tuple((bound, slow if bound < 1000 else 0) for bound in BUCKETS_MS), "1")


def offer() -> None:
    """From now on the memory adapters of this process are these. `path` of the mesh is what processes share."""

    def mesh(around: Surroundings, *, path: str) -> SharedMesh:
        return SharedMesh(Path(path))

    registry.MESHES = {**registry.MESHES, "memory": mesh}
    registry.WORKLOADS = {**registry.WORKLOADS, "memory": lambda around: ReadyWorkloads()}
    registry.METRICS = {**registry.METRICS, "memory": lambda around: SteadyMetrics()}
