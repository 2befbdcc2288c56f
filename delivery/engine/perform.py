"""Performing standing effects: one call behind a port each, its outcome as a signal.

Every function here runs in a slot (perhaps a thread) and touches only what it is given.
"""

from collections.abc import Callable

from delivery.engine import hook, workload
from delivery.engine.fence import Fence, Fenced, Order, own_weight
from delivery.engine.task import Done, Published, Task
from delivery.machine import backends
from delivery.model.effect import ConfirmTraffic, Effect, RunHook, WriteTraffic
from delivery.model.frozen import replace
from delivery.model.release import Release
from delivery.model.signal import Confirmed, Drifted, HistoryLost, MeshDown, MeshUp, Nacked
from delivery.ports.errors import Refused, Unavailable
from delivery.ports.mesh import Route


def perform(task: Task, fence: Fence, published: Published) -> Done:
    """Performs the task. Errors of ports become signals; anything else is a fault of ours and is raised."""
    match task.effect:
        case WriteTraffic():
            return _guarded(task, lambda: _write(task, fence))
        case ConfirmTraffic(dseq):
            return _guarded(task, lambda: _confirm(task, fence, dseq))
        case RunHook():
            return hook.run(task, task.effect, fence)
    return workload.perform(task, fence, published)


def route_of(task: Task, effect: WriteTraffic) -> Route:
    """The desired traffic over backends."""
    release, target = task.release, task.row.target
    if release is None or release.bound is None:
        raise ValueError(f"{target.id}: traffic is desired before versions are bound")
    stable, candidate = backends.roles(release, target.service)
    copy = backends.copy(release, target.service) if effect.traffic.baseline else None
    return Route(target.id, target.service, stable, candidate, effect.traffic, str(release.number), copy)


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
        case Fenced.PAUSED:
            return Done(row=outcome.row, paused=outcome.live.paused if outcome.live else None, later=True)
        case Fenced.FOREIGN:
            row = fence.accept(outcome.row, outcome.live) if outcome.live else outcome.row
            return Done(row=row, foreign=outcome.drift, later=True)
    drifted = (Drifted(outcome.drift, 1),) if outcome.drift else ()
    return Done(drifted, row=outcome.row, later=True)


def _confirm(task: Task, fence: Fence, dseq: int) -> Done:
    if task.release is None:
        raise TypeError("nothing to confirm")
    found = fence.confirm(task.cluster.mesh, task.row, task.release.id, dseq)
    if found is None:
        return Done(later=True, overtaken=True)
    if found.refused is not None:
        return Done((Nacked(dseq, found.refused),), later=True)
    if found.proven:
        return Done((Confirmed(dseq, found.level, found.proxies),), later=True)
    return Done(missing=found.missing)
