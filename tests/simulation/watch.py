"""Looks at every accepted write as it happens, and says which invariant of design/machine.md it breaks."""

from typing import Any

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.mesh.memory import Entry, MemoryMesh
from delivery.machine.desired import desired
from delivery.machine.evolve import evolve
from delivery.model.codec import unseal
from delivery.model.event import Event, Phase, PromotionBegun, RollbackBegun, StageEntered, StagePassed, StageSkipped
from delivery.model.ids import ReleaseId, TargetId
from delivery.model.release import Release
from delivery.model.traffic import Traffic, raises
from delivery.ports.mesh import Stamp
from tests.simulation.scheduler import Scheduler


class Watch:
    """Writes of the engine are told apart from those of the nemesis by `foreign`."""

    def __init__(self, ledger: MemoryLedger, scheduler: Scheduler) -> None:
        self._ledger = ledger
        self._scheduler = scheduler
        self.foreign = self.lossy = False
        self._edits: set[tuple[TargetId, Stamp | None, Traffic]] = set()
        self.writes = 0
        self._epochs: dict[TargetId, int] = {}
        self._reverted: set[ReleaseId] = set()
        self.failures: list[str] = []

    def mesh(self, mesh: MemoryMesh) -> MemoryMesh:
        """The mesh, watched."""
        store = mesh._store

        def watched(entry: Entry) -> None:
            if self.foreign:
                self._edits.add(_content(entry))
            else:
                self._check(mesh, entry)
            store(entry)

        mesh._store = watched  # type: ignore[method-assign]
        return mesh

    def _check(self, mesh: MemoryMesh, entry: Entry) -> None:
        self.writes += 1
        stamp, target = entry.stamp, entry.route.target
        if stamp is None:
            return
        if stamp.epoch < self._epochs.get(target, 0):
            self._broken(9, f"{target}: epoch {stamp.epoch} after {self._epochs[target]}")
        self._epochs[target] = stamp.epoch
        events = [unseal(event.body) for event in self._ledger.events(stamp.release)]
        self._authorised(entry, events)
        self._no_rise_after_revert(entry, events)
        self._predecessor_is_gone(mesh, entry, stamp.release)

    def _authorised(self, entry: Entry, events: list[Event]) -> None:
        """5: nothing is exposed that the stages which passed (or a person skipped) do not authorise."""
        stamp, traffic, target = entry.stamp, entry.route.traffic, entry.route.target
        assert stamp is not None
        if stamp.dseq == 0 or stamp.dseq > len(events):
            if traffic.exposes and not self.lossy:  # a write that was past its check when commits were lost may land
                self._broken(5, f"{target}: written for an event that is not stored")
            return
        release = _at(events, stamp.dseq)
        allowed = desired(release)
        if raises(allowed, traffic):
            self._broken(5, f"{entry.route.target}: {traffic} written where {allowed} is authorised")
        decided = events[stamp.dseq - 1]
        done = {event.stage for event in events[: stamp.dseq] if isinstance(event, StagePassed | StageSkipped)}
        if isinstance(decided, StageEntered) and not set(range(decided.stage)) <= done:
            self._broken(4, f"{stamp.release}: stage {decided.stage} entered, passed {sorted(done)}")
        first = release.bound is not None and release.bound.stable is None
        if isinstance(decided, PromotionBegun) and not first and not set(range(len(release.plan.stages))) <= done:
            self._broken(4, f"{stamp.release}: promoted, passed {sorted(done)} of {len(release.plan.stages)}")

    def _no_rise_after_revert(self, entry: Entry, events: list[Event]) -> None:
        """6: after the first accepted revert write nothing rises again in that release."""
        stamp, traffic = entry.stamp, entry.route.traffic
        assert stamp is not None
        decided = events[stamp.dseq - 1] if 0 < stamp.dseq <= len(events) else None
        if isinstance(decided, RollbackBegun) and not decided.stay:
            self._reverted.add(stamp.release)
        elif stamp.release in self._reverted and traffic.exposes:
            self._broken(6, f"{stamp.release}: {traffic} after its revert was written")

    def _predecessor_is_gone(self, mesh: MemoryMesh, entry: Entry, release: ReleaseId) -> None:
        """17: a candidate that was superseded is at 0 on every proxy before its successor rises above 0."""
        target = entry.route.target
        if not _reaches(entry.route.traffic):
            return
        for name, proxy in mesh.proxies.items():
            running = proxy.routes.get(target)
            if running is None or running.stamp is None or running.stamp.release == release:
                continue
            if _content(running) in self._edits:
                continue
            before = self._ledger.releases([running.stamp.release]).get(running.stamp.release)
            if before and before.release.phase is not Phase.PROMOTED and _reaches(running.route.traffic):
                self._broken(17, f"{release} rises while {name} runs {running.route.traffic} of {before.release.id}")

    def _broken(self, number: int, text: str) -> None:
        self.failures.append(f"invariant {number}: {text}")


def _content(entry: Entry) -> tuple[TargetId, Stamp | None, Traffic]:
    return entry.route.target, entry.stamp, entry.route.traffic


def _reaches(traffic: Traffic) -> bool:
    return traffic.exposes or traffic.mirror is not None


def _at(events: list[Event], seq: int) -> Release:
    release: Any = None
    for event in events[:seq]:
        release = evolve(release, event)
    return release  # type: ignore[no-any-return]
