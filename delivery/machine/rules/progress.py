"""The steps that need no input of their own: on to the next stage, to 100 percent, to the end."""

from delivery.machine import baseline, calling, path, share
from delivery.machine.deadlines import left, running
from delivery.machine.holds import placed
from delivery.machine.rules.common import NOTHING, Events, moment, revert
from delivery.model.context import Context
from delivery.model.event import (
    Cause,
    CauseKind,
    Closed,
    HomeBegun,
    HomeEntered,
    Phase,
    Promoted,
    PromotionBegun,
)
from delivery.model.hold import HoldKind
from delivery.model.ids import Micros
from delivery.model.place import Mode
from delivery.model.release import Home, Release


def onward(release: Release, context: Context) -> Events:
    """The next stage, or 100 percent, once nothing is left to do here and nothing holds.

    Every way on needs the set of holds empty, also one that raises nothing, a candidate that can carry what it is about
    to get, and hooks that have done their part; a plan that ends by itself without promotion lowers, and lowering never
    looks at any of it.
    """
    at = moment(release, context)
    if path.stage_done(release) and path.withdraws(release):
        return revert(release, at, Cause(CauseKind.WITHDRAWN), Phase.WITHDRAWN)
    if release.holds:
        return NOTHING
    if path.capped(release):
        return _anew(release, at)
    if baseline.returns(release):
        return (baseline.entered(release, at, release.stage),)
    return _next(release, at) if path.stage_done(release) and calling.owed(release) is None else NOTHING


def _next(release: Release, at: Micros) -> Events:
    stage = path.following(release)
    if not share.enough(release, stage) or not baseline.enough(release, stage):
        return NOTHING
    if path.first_version(release) and release.plan.mode is not Mode.OBSERVE:
        return (PromotionBegun(at=at, cause=Cause(CauseKind.FIRST_VERSION)),)
    if stage < len(release.plan.stages):
        return (baseline.entered(release, at, stage),)
    return (PromotionBegun(at=at, cause=_why(release)),)


def _why(release: Release) -> Cause:
    if release.cause is not None and path.by_person(release):
        return release.cause
    if release.rolls_back is not None:
        return Cause(CauseKind.ROLLBACK, other=release.rolls_back)
    return Cause(CauseKind.COMPLETED)


def _anew(release: Release, at: Micros) -> Events:
    """After lost history: what was desired is desired again under a new number, once a person has decided so."""
    if release.phase in (Phase.SHIFTING, Phase.BAKING):
        return (baseline.entered(release, at, release.stage),)
    if release.phase is Phase.PROMOTING and release.home is Home.ENTERED:
        return (HomeEntered(at=at),)
    if release.phase is Phase.PROMOTING and release.cause is not None:
        return (PromotionBegun(at=at, cause=release.cause),)
    return NOTHING


def overdue(release: Release, context: Context) -> Events:
    """A stage whose traffic is not proven by its deadline: people look at the proxies. Nothing is judged unproven."""
    at = moment(release, context)
    late = release.phase is Phase.SHIFTING and running(release) and left(release, at) == 0
    if not late or path.capped(release) or release.held(HoldKind.STRAGGLERS):
        return NOTHING
    return (placed(HoldKind.STRAGGLERS, at, "not proven within the stage's deadline"),)


def finish(release: Release, context: Context) -> Events:
    """The end, once the last traffic is proven and the hooks that come after it have ended.

    A copy that has every request is not the end where its owners keep a workload of their own: that goes over to the
    candidate first, and is waited for on the way back too.
    """
    at = moment(release, context)
    if not path.arrived(release):
        return _homeward(release, at)
    if calling.owed(release) is not None:
        return NOTHING
    if release.phase is Phase.PROMOTING:
        return (Promoted(at=at),)
    return (Closed(at=at, phase=release.then, cause=release.cause),) if release.then and release.cause else NOTHING


def _homeward(release: Release, at: Micros) -> Events:
    proven = release.phase is Phase.PROMOTING and release.confirmed == release.dseq and not path.capped(release)
    return (HomeBegun(at=at),) if proven and release.home is None else NOTHING
