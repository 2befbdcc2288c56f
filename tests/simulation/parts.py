"""The simulated world's clock, ids, workloads and metrics. Mesh and ledger are the shipped memory adapters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.service import Workload
from delivery.model.version import Backend, Endpoint, Lane, VersionRef
from delivery.ports.metrics import Sample, Series, Subject
from delivery.ports.workloads import Running
from tests.simulation.scheduler import Scheduler


class SimClock:
    """Wall time can be stepped both ways by the nemesis (`skew`); monotonic time cannot."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.skew = self.furthest = 0

    def step(self, micros: int) -> None:
        """Sets the clock forward or back."""
        self.skew += micros
        self.furthest = max(self.furthest, self.skew)

    def mend(self) -> None:
        """The clock is right again: not before any time that was ever told."""
        self.skew = self.furthest

    def now(self) -> Micros:
        return Micros(self._scheduler.now + self.skew)

    def monotonic(self) -> float:
        return self._scheduler.monotonic / 1_000_000

    def pause(self, seconds: float) -> None:
        if self._scheduler.current() is not None:
            self._scheduler.sleep(int(seconds * 1_000_000))


class SimIds:
    def __init__(self) -> None:
        self._made = 0

    def release(self) -> ReleaseId:
        self._made += 1
        return ReleaseId(f"rel_{self._made:06d}")

    def owner(self) -> str:
        self._made += 1
        return f"owner-{self._made}"


@dataclass
class SimWorkloads:
    """Every version becomes ready `takes` after it was first asked for; `broken` ones never do."""

    scheduler: Scheduler
    takes: int = 500_000
    broken: set[str] = field(default_factory=set)
    unready: set[str] = field(default_factory=set)
    started: dict[tuple[TargetId, str], int] = field(default_factory=dict)

    def ensure(self, target: TargetId, workload: Workload, version: VersionRef) -> Running:
        self.started.setdefault((target, version.identity), self.scheduler.monotonic)
        return self.look(target, workload, version)

    def look(self, target: TargetId, workload: Workload, version: VersionRef) -> Running:
        if version.version in self.broken:
            return Running(False, failing=f"{version.version} exits with 1")
        since = self.started.get((target, version.identity))
        ready = since is not None and self.scheduler.monotonic - since >= self.takes
        if not ready or version.version in self.unready:
            return Running(False, looked_for=f"version {version.version}")
        return Running(True, (Endpoint("127.0.0.1", 9000),))

    def retire(self, target: TargetId, workload: Workload, version: VersionRef) -> None:
        self.started.pop((target, version.identity), None)


@dataclass
class SimMetrics:
    """Counters that grow with simulated time, by the weight that the proxies really run.

    `weight` tells a target's live candidate weight, `rate` requests a second, `errors` the error rate of a version.
    """

    scheduler: Scheduler
    weight: Callable[[TargetId], int]
    errors: Callable[[str], float]
    rate: int = 200
    counted: dict[tuple[TargetId, str, str], list[float]] = field(default_factory=dict)
    last: dict[TargetId, int] = field(default_factory=dict)

    def sample(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sample | None]:
        for target in {subject.target for subject in subjects}:
            self._grow(target, [subject for subject in subjects if subject.target == target])
        return {subject: self._sample(subject) for subject in subjects}

    def _grow(self, target: TargetId, subjects: Sequence[Subject]) -> None:
        elapsed = self.scheduler.monotonic - self.last.get(target, self.scheduler.monotonic)
        self.last[target] = self.scheduler.monotonic
        share = self.weight(target) / 100
        for index, subject in enumerate(subjects):
            part = share if index == 0 else 1 - share
            if subject.lane is Lane.SHADOW:
                part = 1.0
            counter = self.counted.setdefault(_key(subject), [0.0, 0.0])
            requests = elapsed / 1_000_000 * self.rate * part
            counter[0] += requests
            counter[1] += requests * self.errors(subject.backend.version.version)

    def _sample(self, subject: Subject) -> Sample:
        requests, errors = self.counted.get(_key(subject), [0.0, 0.0])
        return Sample(Micros(self.scheduler.now), {"proxy": Series(int(requests), int(errors))})


def _key(subject: Subject) -> tuple[TargetId, str, str]:
    backend: Backend = subject.backend
    return (subject.target, backend.name, subject.lane.value)
