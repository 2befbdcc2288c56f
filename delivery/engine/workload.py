"""Performing what concerns workloads: what runs, what is started and sized, what goes home, what is stopped."""

from delivery.engine.fence import Fence
from delivery.engine.task import Done, Published, Task, workload_of
from delivery.model.effect import EnsureWorkload, FindStable, PromoteWorkload, Rest, Retire
from delivery.model.frozen import replace
from delivery.model.hold import HoldKind
from delivery.model.place import Mode, Promotion
from delivery.model.release import Release
from delivery.model.signal import (
    BaselineMissing,
    BaselineReady,
    HomeReady,
    Signal,
    StableIs,
    StableMissing,
    StableReady,
    StableUnready,
    WorkloadFailing,
    WorkloadMissing,
    WorkloadReady,
)
from delivery.model.target import Target
from delivery.model.version import Backend, VersionRef
from delivery.ports.errors import Conflict, PortError, Refused, Unavailable
from delivery.ports.workloads import Need, Running

_THERE = "the workload is ready"


def perform(task: Task, fence: Fence, published: Published) -> Done:
    """Performs an effect that concerns workloads."""
    match task.effect:
        case FindStable():
            return find(task)
        case EnsureWorkload():
            return prepare(task, task.effect, published)
        case PromoteWorkload(version):
            return promote(task, version, fence, published)
        case Retire(version):
            return retire(task, version, fence)
        case Rest():
            return rest(task, fence)
    raise TypeError(f"nobody performs {task.effect}")


def find(task: Task) -> Done:
    """What its owners run now. A cluster that does not answer is waited for as long as the candidate may be."""
    candidate = task.release.candidate if task.release is not None else None
    try:
        found = task.cluster.workloads.current(task.row.target.id, workload_of(task), candidate)
        return Done((StableIs(found),), later=True)
    except Refused as error:
        return Done((StableMissing(str(error)),), later=True)
    except PortError as error:
        return Done((WorkloadMissing(str(error)),), later=True)


def prepare(task: Task, effect: EnsureWorkload, published: Published) -> Done:
    """Starts the version, sizes it, and makes its backend known once it is ready."""
    version = effect.version
    if version.is_copy:
        return _prepare_copy(task, effect, published)
    seen = task.release is not None and task.release.plan.mode is Mode.OBSERVE
    candidate = task.release is not None and task.release.candidate == version and (seen or not effect.home)
    news = _news(task.release, candidate, effect.share)
    need = Need(effect.home, effect.share, known=not news, by=task.release.id if task.release else "")
    backend = Backend(task.row.target.service, version, effect.home)
    try:
        running = task.cluster.workloads.ensure(task.row.target.id, workload_of(task), version, need)
    except PortError as error:
        return _unseen(task, candidate, WorkloadMissing(str(error)))
    if running.failing is not None:
        return _failing(candidate, running.failing)
    if not running.ready:
        return _missing(candidate, running.looked_for or f"version {version.version}")
    try:
        known = seen or published.ensure(task, backend, running.endpoints)
    except Refused as error:
        refused = str(error)
        return _unseen(task, candidate, WorkloadMissing(f"{_THERE}, but the mesh refused it: {refused}", refused))
    except PortError as error:
        return _unseen(task, candidate, WorkloadMissing(f"{_THERE}, but the mesh cannot be reached: {error}"))
    return Done(news, later=True) if known else _missing(candidate, f"{_THERE}, but not every proxy knows it yet")


def _missing(candidate: bool, looked_for: str) -> Done:
    return Done((WorkloadMissing(looked_for),) if candidate else (StableUnready(looked_for),), later=True)


def _unseen(task: Task, candidate: bool, why: WorkloadMissing) -> Done:
    """Not to be able to look says nothing against what was ready, nor against what others run."""
    unknown = task.release is None or task.release.ready
    return Done(() if unknown or not candidate else (why,), later=True)


def _prepare_copy(task: Task, effect: EnsureWorkload, published: Published) -> Done:
    """The copy of stable that the candidate is compared with. Not to be able to look says nothing against it."""
    release, version = task.release, effect.version
    if release is None:
        return Done(later=True)
    carries = release.baseline or 0
    known = carries >= effect.share and not release.held(HoldKind.BASELINE_UNREADY)
    need = Need(share=effect.share, known=known, by=release.id)
    try:
        running = task.cluster.workloads.ensure(task.row.target.id, workload_of(task), version, need)
        backend = Backend(task.row.target.service, version)
        if running.ready and published.ensure(task, backend, running.endpoints):
            return Done(() if known else (BaselineReady(effect.share),), later=True)
    except Refused as error:  # what there is goes on
        return Done((BaselineMissing(str(error), answers=carries > 0, failing=True),), later=True)
    except PortError as error:
        return Done(() if carries else (BaselineMissing(str(error)),), later=True)
    looked_for = running.failing or running.looked_for or f"a copy of version {version.version}"
    answers, failing = running.ready or running.answers, running.failing is not None
    return Done((BaselineMissing(looked_for, answers, failing),), later=True)


def _failing(candidate: bool, detail: str) -> Done:
    return Done((WorkloadFailing(detail),) if candidate else (StableUnready(detail),), later=True)


def _news(release: Release | None, candidate: bool, share: int) -> tuple[Signal, ...]:
    """Readiness is a signal only where it is news: most ticks find what the last one found."""
    if release is None:
        return ()
    if candidate:
        known = release.ready and not release.held(HoldKind.CANDIDATE_UNREADY)
        grown = release.share is not None and share > release.share
        return () if known and not grown else (WorkloadReady(share),)
    return (StableReady(),) if release.stay or release.held(HoldKind.STABLE_UNREADY) else ()


def promote(task: Task, version: VersionRef, fence: Fence, published: Published) -> Done:
    """Has the owners' own workload run the version, or looks whether people did; its backend is known once it does.

    Whoever lost the target meanwhile changes nothing there: the way back may have begun.
    """
    target, back = task.row.target, task.release is not None and task.release.candidate != version
    try:
        running = _at_home(task, version, fence)
        if running.failing is None and running.ready:
            known = published.ensure(task, Backend(target.service, version, home=True), running.endpoints)
            return Done((HomeReady(version),) if known else (), later=True)
        failing = running.failing
    except Conflict:
        return Done(later=True, lost=not fence.owns(task.row))
    except Refused as error:
        failing = str(error)
    except PortError:
        failing = None
    if failing is None:
        return Done(later=True)
    return Done((StableUnready(failing) if back else WorkloadFailing(failing),), later=True)


def _at_home(task: Task, version: VersionRef, fence: Fence) -> Running:
    target, workloads = task.row.target.id, task.cluster.workloads
    home = task.release.plan.home if task.release is not None else None
    token = f"{task.release.id}/{task.release.dseq}" if task.release is not None else ""
    if home in (None, Promotion.PATCH):
        return workloads.promote(target, workload_of(task), version, lambda: fence.owns(task.row), token)
    if home is not Promotion.NONE and not (brought := _brought(task, home.value, version, fence, token)).ready:
        return brought
    return workloads.look(target, workload_of(task), version, home=True)


def _brought(task: Task, by: str, version: VersionRef, fence: Fence, token: str) -> Running:
    """By somebody else, whose word is not enough: what it says is done is looked at afterwards."""
    deployer = task.cluster.deployers.get(by)
    if deployer is None:
        where = f"[clusters.{task.cluster.name}.deployers.{by}]"
        return Running(False, failing=f"the service file says promotion.via: {by}, and there is no {where}")
    return deployer.bring(task.row.target.id, workload_of(task), version, lambda: fence.owns(task.row), token)


def retire(task: Task, version: VersionRef, fence: Fence) -> Done:
    """Backend, then workload; a route that still names the backend keeps both.

    Whoever lost the target meanwhile stops nothing: the version may have come back.
    """
    target = task.row.target
    try:
        for backend in _reached(target, version):
            task.cluster.mesh.withdraw(target.id, backend)
        if not fence.owns(task.row):
            return Done(lost=True)
        task.cluster.workloads.retire(target.id, workload_of(task), version, lambda: fence.owns(task.row))
    except Conflict:
        return Done(later=True, lost=not fence.owns(task.row))
    except Unavailable:
        return Done(later=True)
    except Refused as error:  # what is left over harms no release
        return Done(later=True, refused=str(error))
    return Done(later=True, retired=True)


def _reached(target: Target, version: VersionRef) -> tuple[Backend, ...]:
    """By what a version was reached that goes. Of what is stable at home only our copy goes."""
    copy = Backend(target.service, version)
    if version.is_copy:
        return (copy,)
    stays = target.stable is not None and target.stable.identity == version.identity
    return (copy,) if stays else (copy, replace(copy, home=True))


def rest(task: Task, fence: Fence) -> Done:
    """Whoever lost the target meanwhile lets nothing go: another release may need it."""
    try:
        if not fence.owns(task.row):
            return Done(lost=True)
        task.cluster.workloads.rest(task.row.target.id, workload_of(task))
    except PortError as error:
        return Done(later=True, refused=str(error) if isinstance(error, Refused) else "")
    return Done(later=True, retired=True)
