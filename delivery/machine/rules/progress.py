"""The steps that need no input of their own: on to the next stage, to 100 percent, to the end."""

from delivery.machine import path, share
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
    StageEntered,
)
from delivery.model.hold import HoldKind
from delivery.model.ids import Micros
from delivery.model.place import Mode
from delivery.model.plan import Then
from delivery.model.release import Home, Release


def onward(release: Release, context: Context) -> Events:
    """The next stage, or 100 percent, once nothing is left to do here and nothing holds.

    Every way on needs the set of holds empty, also one that raises nothing, and a candidate that can carry what it is
    about to get; a plan that ends by itself without promotion lowers, and lowering never looks at holds.
    """
    at = moment(release, context)
    if path.stage_done(release) and _withdraws(release):
        return revert(release, at, Cause(CauseKind.WITHDRAWN), Phase.WITHDRAWN)
    if release.holds:
        return NOTHING
    if path.capped(release):
        return _anew(release, at)
    return _next(release, at) if path.stage_done(release) else NOTHING


def _withdraws(release: Release) -> bool:
    """Whether its plan ends here without promotion, and nobody promoted it."""
    last = path.following(release) == len(release.plan.stages) > 0
    return last and release.plan.then is Then.WITHDRAW and not _by_person(release) and not path.first_version(release)


def _by_person(release: Release) -> bool:
    return release.cause is not None and release.cause.kind is CauseKind.PROMOTED_BY_PERSON


def _next(release: Release, at: Micros) -> Events:
    stage = path.following(release)
    if not share.enough(release, stage):
        return NOTHING
    if path.first_version(release) and release.plan.mode is not Mode.OBSERVE:
        return (PromotionBegun(at=at, cause=Cause(CauseKind.FIRST_VERSION)),)
    if stage < len(release.plan.stages):
        return (StageEntered(at=at, stage=stage),)
    return (PromotionBegun(at=at, cause=_why(release)),)


def _why(release: Release) -> Cause:
    if release.cause is not None and _by_person(release):
        return release.cause
    if release.rolls_back is not None:
        return Cause(CauseKind.ROLLBACK, other=release.rolls_back)
    return Cause(CauseKind.COMPLETED)


def _anew(release: Release, at: Micros) -> Events:
    """After lost history: what was desired is desired again under a new number, once a person has decided so."""
    if release.phase in (Phase.SHIFTING, Phase.BAKING):
        return (StageEntered(at=at, stage=release.stage),)
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
    """The end, once the last traffic is proven. Users that had to stay with the candidate are no end.

    A copy that has every request is not the end where its owners keep a workload of their own: that goes over to the
    candidate first, and is waited for on the way back too.
    """
    if release.confirmed != release.dseq or path.capped(release):
        return NOTHING
    at = moment(release, context)
    if release.phase is Phase.PROMOTING:
        return _arrived(release, at)
    if release.phase is Phase.ROLLING_BACK and not release.stay and release.then and release.cause:
        going = release.home is not None and not path.first_version(release)
        return NOTHING if going else (Closed(at=at, phase=release.then, cause=release.cause),)
    return NOTHING


def _arrived(release: Release, at: Micros) -> Events:
    if release.plan.home is None or release.home is Home.ENTERED:
        return (Promoted(at=at),)
    return (HomeBegun(at=at),) if release.home is None else NOTHING
