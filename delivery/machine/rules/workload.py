"""What runs: the candidate's readiness before and during the release, and stable's."""

from delivery.machine import path
from delivery.machine.deadlines import left
from delivery.machine.holds import placed
from delivery.machine.rules.common import NOTHING, Events, moment, revert
from delivery.model.context import Context
from delivery.model.event import CandidateReady, Cause, CauseKind, HoldLifted, Phase, RollbackBegun, Started
from delivery.model.hold import HoldKind
from delivery.model.release import Release
from delivery.model.signal import StableReady, StableUnready, TurnCame, WorkloadFailing, WorkloadMissing, WorkloadReady


def start(release: Release, signal: TurnCame, context: Context) -> Events:
    """Candidate and stable are bound now, not when it was queued."""
    return (Started(at=moment(release, context), stable=signal.stable),)


def ready(release: Release, signal: WorkloadReady, context: Context) -> Events:
    """The candidate is ready, for the first time or again."""
    at = moment(release, context)
    if not release.ready:
        return (CandidateReady(at=at),)
    if release.held(HoldKind.CANDIDATE_UNREADY):
        return (HoldLifted(at=at, kind=HoldKind.CANDIDATE_UNREADY),)
    return NOTHING


def awaited(release: Release, signal: WorkloadMissing, context: Context) -> Events:
    """Not there yet. Once it was ready it is only held; before, it may take `appear_within`."""
    if release.ready:
        return lost(release, signal, context)
    at = moment(release, context)
    if left(release, at) > 0:
        return NOTHING
    return revert(release, at, Cause(CauseKind.CANDIDATE_MISSING, reason=signal.looked_for), Phase.FAILED_TO_START)


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

    It does not hold the rollback of a finished release: a dead stable is what that is for.
    """
    if path.stable_unready(release) or release.rolls_back is not None:
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
