"""Mistakes in how the engine uses its ports."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.version import Backend
from delivery.ports.errors import Conflict
from delivery.ports.mesh import Confirmation, Live, Route, Stamp
from delivery.ports.rows import Committed, Unit
from tests.simulation.mutants.mutant import Over
from tests.simulation.parts import SimMesh
from tests.simulation.services import document, parse_once, plan_of


class NoCheck(Over):
    """Nobody asks the database again before something is written or stopped."""

    def holds(self, *_: Any) -> bool:
        return True


class BlindPut(Over):
    """Expects whatever is there by then."""

    def write(self, route: Route, stamp: Stamp, expect: str) -> Live:
        written: Live = self._port.write(route, stamp, self._port.read(route.target).revision)
        return written


class ConfirmWithoutToken(Over):
    """Takes any answer of the proxies as the proof."""

    def confirm(self, *token: Any) -> Confirmation:
        return replace(self._port.confirm(*token), proven=True, missing=(), refused=None)


class EpochAsToken(Over):
    """Takes whatever this owner wrote as the proof, if every proxy runs it."""

    def confirm(self, target: TargetId, release: ReleaseId, dseq: int) -> Confirmation:
        found: Confirmation = self._port.confirm(target, release, dseq)
        mesh: SimMesh = self._port._port  # behind the switch
        newest = mesh.stored(target)
        epochs = [entry.stamp.epoch for _, entry, _ in mesh.running() if entry.route.target == target and entry.stamp]
        if newest is None or newest.stamp is None or len(epochs) < len(mesh.proxies):
            return found
        if all(epoch == newest.stamp.epoch for epoch in epochs):
            return replace(found, proven=True, missing=(), refused=None)
        return found


class OutboxOutside(Over):
    """Messages are stored by a commit of their own, after the decision."""

    def commit(self, units: Sequence[Unit]) -> tuple[Committed, ...]:
        done: tuple[Committed, ...] = self._port.commit([replace(unit, outbox=()) for unit in units])
        late = [Unit(outbox=unit.outbox) for unit in units if unit.outbox]
        if late:
            self._between()
            self._port.commit(late)
        return done

    def _between(self) -> None: ...


class PlanAgain(Over):
    """The plan is compiled anew from the service file whenever a release is loaded."""

    def load(self, targets: Any) -> Any:
        found = self._port.load(targets)
        return {key: replace(snapshot, releases=_replanned(key, snapshot.releases)) for key, snapshot in found.items()}


def _replanned(target: str, releases: Any) -> Any:
    changed = {
        **document(target.partition("@")[0]),
        "strategies": [{"canary": {"steps": ["3%", "40%", "60%"], "bake": "2s"}}],
        "hooks": {},
    }
    plan = plan_of(parse_once(changed))
    return {key: replace(stored, release=replace(stored.release, plan=plan)) for key, stored in releases.items()}


class NoVersionCheck(Over):
    """A commit takes the row as it is by then, whatever was read."""

    def commit(self, units: Sequence[Unit]) -> tuple[Committed, ...]:
        now = self._port.load([unit.target for unit in units if unit.target and unit.expect is not None])
        done: tuple[Committed, ...] = self._port.commit(
            [replace(unit, expect=now[unit.target].row.version) if unit.target in now else unit for unit in units]
        )
        return done


class RetireBlindly(Over):
    """Whether a route still names the backend is not asked."""

    def withdraw(self, target: TargetId, backend: Backend) -> None:
        try:
            self._port.withdraw(target, backend)
        except Conflict:
            return


class LongLease(Over):
    """A claim lasts long, because the worker hands it back when it is done."""

    def claim(self, clusters: Any, owner: str, lease: Micros, limit: int) -> Any:
        return self._port.claim(clusters, owner, Micros(100_000_000), limit)
