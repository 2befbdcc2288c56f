"""What runs: the candidate's readiness before and during the release, and stable's."""

from delivery.machine import path
from delivery.machine.deadlines import left
from delivery.machine.holds import placed
from delivery.machine.rules.common import NOTHING, Events, moment, revert
from delivery.model.context import Context
from delivery.model.event import (
    CandidateReady,
    Cause,
    CauseKind,
    Closed,
    HoldLifted,
    HomeEntered,
    HomeRestored,
    Phase,
    RollbackBegun,
    StableFound,
    Started,
)
from delivery.model.hold import HoldKind
from delivery.model.release import Home, Release
from delivery.model.signal import (
    HomeReady,
    StableIs,
    StableMissing,
    StableReady,
    StableUnready,
    TurnCame,
    WorkloadFailing,
    WorkloadMissing,
    WorkloadReady,
)
from delivery.model.version import VersionRef


def start(release: Release, signal: TurnCame, context: Context) -> Events:
    """Candidate and stable are bound now, not when it was queued."""
    return (Started(at=moment(release, context), stable=signal.stable),)


def found(release: Release, signal: StableIs, context: Context) -> Events:
    """What its owners run is stable, whatever was recorded before. If it is this version, nothing is left to do.

    A version that was released here keeps the name that it was released under, also where its digest is known by now.
    """
    if not path.unsure_of_stable(release) or release.bound is None:
        return NOTHING
    at, known = moment(release, context), release.bound.stable
    seen = signal.version
    stable = known if known and seen and (_same(seen, known) or seen.pins(known)) else seen
    fact = StableFound(at=at, stable=stable)
    if not _same(signal.version, release.candidate):
        return (fact,)
    return (fact, Closed(at=at, phase=Phase.CANCELLED, cause=Cause(CauseKind.STABLE_AGAIN)))


def unfindable(release: Release, signal: StableMissing, context: Context) -> Events:
    """There is nothing that the candidate could be a copy of, or be compared with: it failed to start."""
    if not path.unsure_of_stable(release):
        return NOTHING
    cause = Cause(CauseKind.STABLE_MISSING, reason=signal.looked_for)
    return revert(release, moment(release, context), cause, Phase.FAILED_TO_START)


def ready(release: Release, signal: WorkloadReady, context: Context) -> Events:
    """The candidate is ready, for the first time, again, or for more of the traffic than before."""
    at = moment(release, context)
    events: Events = ()
    if release.held(HoldKind.CANDIDATE_UNREADY):
        events = (HoldLifted(at=at, kind=HoldKind.CANDIDATE_UNREADY),)
    if release.plan.mode is None:
        return events if release.ready else (*events, CandidateReady(at=at))
    grown = not release.ready or signal.share > (release.share or 0)
    return (*events, CandidateReady(at=at, share=signal.share)) if grown else events


def awaited(release: Release, signal: WorkloadMissing, context: Context) -> Events:
    """Not there yet. Once it was ready it is only held; before, it may take `appear_within`."""
    if release.ready:
        return lost(release, signal, context)
    at = moment(release, context)
    if left(release, at) > 0:
        return NOTHING
    cause = Cause(CauseKind.CANDIDATE_MISSING, reason=signal.looked_for)
    if signal.refused:
        cause = Cause(CauseKind.MESH_REFUSED, reason=signal.refused)
    return revert(release, at, cause, Phase.FAILED_TO_START)


def lost(release: Release, signal: WorkloadMissing, context: Context) -> Events:
    """It was ready and is not any more: nothing rises. Its gates see what that does to users."""
    if release.held(HoldKind.CANDIDATE_UNREADY):
        return NOTHING
    return (placed(HoldKind.CANDIDATE_UNREADY, moment(release, context), signal.looked_for),)


def unstartable(release: Release, signal: WorkloadFailing, context: Context) -> Events:
    """Waiting will not help, and no user was reached: it failed to start."""
    cause = Cause(CauseKind.CANDIDATE_FAILING, reason=signal.detail)
    return revert(release, moment(release, context), cause, Phase.FAILED_TO_START)


def broken(release: Release, signal: WorkloadFailing, context: Context) -> Events:
    """The candidate died under traffic: back to stable."""
    cause = Cause(CauseKind.CANDIDATE_FAILING, reason=signal.detail)
    return revert(release, moment(release, context), cause, Phase.ROLLED_BACK)


def stable_lost(release: Release, signal: StableUnready, context: Context) -> Events:
    """Known for the next raise, and for a revert that would otherwise send everybody to nothing.

    It does not hold the rollback of a finished release: a dead stable is what that is for. Nor is it news while
    stable's own workload goes over to the candidate.
    """
    if path.stable_unready(release) or release.rolls_back is not None:
        return NOTHING
    if release.home is not None and release.phase is Phase.PROMOTING:
        return NOTHING
    return (placed(HoldKind.STABLE_UNREADY, moment(release, context), signal.detail),)


def stable_back(release: Release, signal: StableReady, context: Context) -> Events:
    """Stable can take users again; a revert that had left them where they were now takes them."""
    if not path.stable_unready(release):
        return NOTHING
    at = moment(release, context)
    lifted = HoldLifted(at=at, kind=HoldKind.STABLE_UNREADY)
    if not release.stay or release.cause is None or release.then is None:
        return (lifted,)
    return (lifted, RollbackBegun(at=at, cause=release.cause, then=release.then))


def at_home(release: Release, signal: HomeReady, context: Context) -> Events:
    """The owners' own workload runs the candidate: it is to have every request, and the copy none."""
    proven = release.confirmed == release.dseq and not path.capped(release)
    if release.home is not Home.BEGUN or not proven or not _same(signal.version, release.candidate):
        return NOTHING
    return (HomeEntered(at=moment(release, context)),)


def restored(release: Release, signal: HomeReady, context: Context) -> Events:
    """On the way back: the owners' own workload runs stable again, and nothing of the candidate."""
    stable = release.bound.stable if release.bound is not None else None
    if release.home is None or stable is None or not _same(signal.version, stable):
        return NOTHING
    at = moment(release, context)
    back = HomeRestored(at=at)
    if path.stable_unready(release):
        return (HoldLifted(at=at, kind=HoldKind.STABLE_UNREADY), back)
    return (back,)


def _same(one: VersionRef | None, other: VersionRef) -> bool:
    return one is not None and one.identity == other.identity
