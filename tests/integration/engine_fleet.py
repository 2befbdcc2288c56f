"""Many targets of the real engine over a real database, with memory proxies and a clock that the test moves."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from delivery.adapters.hints.none import NoHints
from delivery.adapters.ids import UlidIds
from delivery.adapters.ledger.sql import SqlLedger
from delivery.adapters.mesh.memory import MemoryMesh
from delivery.adapters.slots import InlineSlots
from delivery.adapters.telemetry.memory import MemoryTelemetry
from delivery.adapters.workloads.deployer_memory import MemoryDeployer
from delivery.adapters.workloads.memory import MemoryWorkloads
from delivery.catalog.freeze import frozen
from delivery.engine.answer import Answer, Arrival
from delivery.engine.book import Book
from delivery.engine.cluster import Cluster
from delivery.engine.parts import Parts
from delivery.engine.reread import Rereader
from delivery.machine.evolve import fold
from delivery.model.codec import digest
from delivery.model.event import Event, Phase
from delivery.model.ids import SECOND, Micros, Principal, ReleaseId, TargetId, target_id
from delivery.model.notice import Notice, ReleaseAction, ReleaseRequested
from delivery.model.release import Release
from delivery.model.series import Sample, Series
from delivery.model.signal import PersonSignal
from delivery.model.target import Target
from delivery.model.version import VersionRef
from delivery.ports.errors import Unavailable
from delivery.ports.mesh import Mesh
from delivery.ports.metrics import Subject
from delivery.ports.rows import Row, ServiceRecord
from delivery.ports.slots import Slots
from delivery.strategies.plan import compile_plan
from delivery.wiring import assemble, parse

NOW = Micros(1_795_514_531_000_000)
STABLE, CANDIDATE = VersionRef.of("1.4.1"), VersionRef.of("1.4.2")
CLUSTER = "local"


class Time:
    """Wall time that a test moves either way; monotonic time only goes on."""

    def __init__(self) -> None:
        self.wall = NOW
        self.gone = 0.0

    def now(self) -> Micros:
        return self.wall

    def monotonic(self) -> float:
        self.gone += 1e-6
        return self.gone

    def lasted(self) -> float:
        """Seconds of the world, whatever the clock says."""
        return self.gone

    def pause(self, seconds: float) -> None:
        self.go(seconds)

    def go(self, seconds: float) -> None:
        self.gone += seconds
        self.step(seconds)

    def step(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.wall = Micros(self.wall + int(seconds * SECOND))


class Counters:
    """200 requests a second for every target, divided as its route says; of what a version in `bad` answers, half is an
    error. Each life of a process counts from 0.
    """

    def __init__(self, time: Time, mesh: Mesh) -> None:
        self.bad: set[str] = set()
        self._time, self._mesh = time, mesh
        self._counted: dict[Subject, tuple[float, float]] = {}
        self._since: dict[Subject, float] = {}
        self._weights: dict[TargetId, int] = {}

    def sample(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sample]:
        return {subject: Sample(self._time.now(), {"proxy": self._grown(subject)}) for subject in subjects}

    def _grown(self, subject: Subject) -> Series:
        now, version = self._time.lasted(), subject.backend.version
        with suppress(Unavailable):  # then users are divided as they were
            self._weights[subject.target] = self._mesh.read(subject.target).weight
        weight = self._weights.get(subject.target, 0)
        share = (weight if version != STABLE else 100 - weight) / 100
        came = 200 * share * (now - self._since.get(subject, now))  # users do not look at our clock
        requests, errors = self._counted.get(subject, (0.0, 0.0))
        self._since[subject] = now
        self._counted[subject] = (requests + came, errors + came * (0.5 if version.version in self.bad else 0.01))
        requests, errors = self._counted[subject]
        return Series(int(requests), int(errors), epoch=str(os.getpid()))


class Fleet:
    """One life of a worker over a database, with as many services as wanted, 1.4.1 stable in each."""

    def __init__(
        self, url: str, time: Time, mesh: Mesh | None = None, slots: Slots | None = None, **policy: Any
    ) -> None:
        self.time = time
        self.ledger = SqlLedger(url, fold=fold, now=time.now)
        self.mesh: Any = mesh or MemoryMesh()
        self.metrics = Counters(time, self.mesh)
        self.telemetry = MemoryTelemetry()
        self._document = policy
        self.deployer = MemoryDeployer()
        cluster = Cluster(CLUSTER, self.mesh, MemoryWorkloads(), self.metrics, {"argocd": self.deployer})
        book = Book(self.ledger, time, parse, compile_plan, frozen)
        slots = slots or InlineSlots()
        parts = Parts(self.ledger, {CLUSTER: cluster}, book, time, UlidIds(), NoHints(), slots, self.telemetry)
        engine = assemble(parts)
        self.drain, self.inbox = engine.drain, engine.inbox
        self.rereader = Rereader(parts, cluster, engine.inbox, parts.ids.owner())

    def serve(self, *names: str) -> None:
        for name in names:
            document = {
                "service": name,
                "cluster": CLUSTER,
                "workload": {"process": name},
                "tick": "1s",
                "strategies": [{"canary": {"steps": ["20%", "50%"], "bake": "10s"}}],
                **self._document,
            }
            self.ledger.put_service(ServiceRecord(name, document, digest(document), 1, NOW, Principal("olga")))
            self.ledger.create_target(Row(Target(target_id(name, CLUSTER), name, CLUSTER, stable=STABLE)))

    def release(self, *names: str, version: VersionRef = CANDIDATE) -> None:
        arrivals = [
            Arrival(
                Notice("ci", f"{name} {version.version}", name, ReleaseRequested(name, version, Principal("alice"))),
                b"{}",
            )
            for name in names
        ]
        assert {answer.outcome for answer in self.inbox.accept(arrivals)} == {"release"}

    def say(self, release: ReleaseId, signal: PersonSignal) -> Answer:
        key = f"{type(signal).__name__} {release}"
        return self.inbox.accept([Arrival(Notice("api", key, key, ReleaseAction(release, signal)), b"{}")])[0]

    def go(self, seconds: int) -> None:
        """Time passes, with a drain at each second."""
        for _ in range(seconds):
            self.time.go(1)
            self.drain.run(5.0)

    def until_baking(self, *names: str) -> None:
        for _ in range(20):
            self.go(1)
            if {self.running(name).phase for name in names} == {Phase.BAKING}:
                return
        raise AssertionError({name: self.running(name).phase for name in names})

    def row(self, name: str) -> Row:
        return self.ledger.rows(name)[0]

    def running(self, name: str) -> Release:
        target = self.row(name).target
        release = target.active or target.last
        assert release is not None
        stored = self.ledger.release(release)
        assert stored is not None
        return stored.release

    def events(self, release: ReleaseId) -> list[Event]:
        return [stored.event for stored in self.ledger.events(release)]

    def weight(self, name: str) -> int:
        traffic = self.mesh.traffic(TargetId(f"{name}@{CLUSTER}"))
        return traffic.weight if traffic else 0

    def close(self) -> None:
        self.ledger.close()
