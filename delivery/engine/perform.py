"""Performing standing effects: one call behind a port each, its outcome as a signal.

Every function here runs in a slot (perhaps a thread) and touches only what it is given.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from delivery.engine.cluster import Cluster
from delivery.engine.fence import Fence, Fenced, Order, own_weight
from delivery.model.effect import ConfirmTraffic, Effect, EnsureWorkload, Retire, WriteTraffic
from delivery.model.hold import HoldKind
from delivery.model.ids import TargetId
from delivery.model.release import Release
from delivery.model.service import Workload
from delivery.model.signal import (
    Confirmed,
    Drifted,
    HistoryLost,
    MeshDown,
    MeshUp,
    Nacked,
    Signal,
    StableReady,
    StableUnready,
    WorkloadFailing,
    WorkloadMissing,
    WorkloadReady,
)
from delivery.model.version import Backend, Endpoint, VersionRef
from delivery.ports.errors import Conflict, PortError, Refused, Unavailable
from delivery.ports.ledger import Row
from delivery.ports.mesh import Route


@dataclass(frozen=True, slots=True)
class Task:
    """An effect with all that performing it needs. `observed` is the live content, where it is known.

    `outage`: the last that was told of the mesh is that it fails.
    """

    effect: Effect
    cluster: Cluster
    row: Row
    release: Release | None
    head: str
    workload: Workload | None
    observed: str | None = None
    correct: bool = True
    outage: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it. `later`: nothing more to be had from this effect in this drain; `lost`: give the target up."""

    signals: tuple[Signal, ...] = ()
    row: Row | None = None
    later: bool = False
    lost: bool = False
    foreign: str = ""
    retired: bool = False
    missing: tuple[str, ...] = field(default=())


class Published:
    """What this process has published last, so that a version that stays where it is costs no call."""

    def __init__(self) -> None:
        self._known: dict[tuple[TargetId, str], tuple[Endpoint, ...]] = {}

    def ensure(self, task: Task, version: VersionRef, endpoints: tuple[Endpoint, ...]) -> bool:
        """Whether the proxies know the backend at these addresses. A release that is not ready yet always asks."""
        key = (task.row.target.id, version.identity)
        if task.release is not None and task.release.ready and self._known.get(key) == endpoints:
            return True
        backend = Backend(task.row.target.service, version)
        done = task.cluster.mesh.publish(task.row.target.id, backend, endpoints)
        if done:
            self._known[key] = endpoints
        return done


def perform(task: Task, fence: Fence, published: Published) -> Done:
    """Performs the task. Errors of ports become signals; anything else is a fault of ours and is raised."""
    match task.effect:
        case EnsureWorkload(version):
            return _prepare(task, version, published)
        case WriteTraffic():
            return _guarded(task, lambda: _write(task, fence))
        case ConfirmTraffic(dseq):
            return _guarded(task, lambda: _confirm(task, dseq))
        case Retire(version):
            return _retire(task, version, fence)
    raise TypeError(f"nobody performs {task.effect}")


def route_of(task: Task, effect: WriteTraffic) -> Route:
    """The desired traffic over backends."""
    release, target = task.release, task.row.target
    if release is None or release.bound is None:
        raise ValueError(f"{target.id}: traffic is desired before versions are bound")
    stable = Backend(target.service, release.bound.stable) if release.bound.stable else None
    candidate = Backend(target.service, release.bound.candidate)
    return Route(target.id, target.service, stable, candidate, effect.traffic, tag=str(release.number))


def _guarded(task: Task, call: Callable[[], Done]) -> Done:
    """A mesh that does not answer is a signal: it never advances anything, and its end is told too."""
    try:
        done = call()
    except Unavailable as error:
        return Done((MeshDown(str(error)),), later=True)
    if task.outage and not (task.release and _half(task.effect, task.release)):
        return replace(done, signals=(MeshUp(), *done.signals))
    return done


def _half(effect: Effect, release: Release) -> bool:
    """A route that could be stored says nothing of the proxies, which are still to be asked."""
    return isinstance(effect, WriteTraffic) and release.confirmed != release.dseq and not release.phase.closed


def _write(task: Task, fence: Fence) -> Done:
    effect, release = task.effect, task.release
    if not isinstance(effect, WriteTraffic) or release is None:
        raise TypeError(f"not a write: {effect}")
    order = Order(route_of(task, effect), release, task.head, task.correct)
    try:
        outcome = fence.write(task.cluster.mesh, task.row, order, task.observed)
    except Refused as error:
        return Done((Nacked(effect.dseq, str(error)),), later=True)
    match outcome.result:
        case Fenced.LOST:
            return Done(lost=True)
        case Fenced.HISTORY_LOST:
            weight = own_weight(outcome.live, release) if outcome.live else 0
            return Done((HistoryLost(outcome.drift, weight),), row=outcome.row, later=True)
        case Fenced.FOREIGN:
            row = fence.accept(outcome.row, outcome.live) if outcome.live else outcome.row
            return Done(row=row, foreign=outcome.drift, later=True)
    drifted = (Drifted(outcome.drift, 1),) if outcome.drift else ()
    return Done(drifted, row=outcome.row, later=True)


def _confirm(task: Task, dseq: int) -> Done:
    if task.release is None:
        raise TypeError("nothing to confirm")
    found = task.cluster.mesh.confirm(task.row.target.id, task.release.id, dseq)
    if found.refused is not None:
        return Done((Nacked(dseq, found.refused),), later=True)
    if found.proven:
        return Done((Confirmed(dseq, found.level, found.proxies),), later=True)
    return Done(missing=found.missing)


def _prepare(task: Task, version: VersionRef, published: Published) -> Done:
    """Starts the version, and makes its backend known once it is ready."""
    candidate = task.release is not None and task.release.candidate == version
    try:
        running = task.cluster.workloads.ensure(task.row.target.id, _workload(task), version)
        if running.failing is not None:
            return _failing(candidate, running.failing)
        known = running.ready and published.ensure(task, version, running.endpoints)
    except PortError as error:
        unknown = task.release is None or task.release.ready  # not to be able to look says nothing against it
        return Done(() if unknown or not candidate else (WorkloadMissing(str(error)),), later=True)
    if known:
        return Done(_news(task.release, candidate), later=True)
    looked_for = running.looked_for or f"version {version.version}"
    return Done((WorkloadMissing(looked_for),) if candidate else (StableUnready(looked_for),), later=True)


def _failing(candidate: bool, detail: str) -> Done:
    return Done((WorkloadFailing(detail),) if candidate else (StableUnready(detail),), later=True)


def _news(release: Release | None, candidate: bool) -> tuple[Signal, ...]:
    """Readiness is a signal only where it is news: most ticks find what the last one found."""
    if release is None:
        return ()
    if candidate:
        known = release.ready and not release.held(HoldKind.CANDIDATE_UNREADY)
        return () if known else (WorkloadReady(),)
    return (StableReady(),) if release.stay or release.held(HoldKind.STABLE_UNREADY) else ()


def _retire(task: Task, version: VersionRef, fence: Fence) -> Done:
    """Backend, then workload; a route that still names the backend keeps both.

    Whoever lost the target meanwhile stops nothing: the version may have come back.
    """
    target = task.row.target
    try:
        task.cluster.mesh.withdraw(target.id, Backend(target.service, version))
        if not fence.owns(task.row):
            return Done(lost=True)
        task.cluster.workloads.retire(target.id, _workload(task), version)
    except (Conflict, Unavailable):
        return Done(later=True)
    return Done(later=True, retired=True)


def _workload(task: Task) -> Workload:
    if task.workload is None:
        raise Refused(f"{_name(task.row.target.id)} has no usable service file any more")
    return task.workload


def _name(target: TargetId) -> str:
    return target.partition("@")[0]
