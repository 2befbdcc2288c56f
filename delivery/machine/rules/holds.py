"""Holds that follow from the surroundings, and what happens when a hold has lasted as long as it may."""

from delivery.machine import path
from delivery.machine.holds import OWN_LIMIT, find, placed
from delivery.machine.path import Guard
from delivery.machine.rules.common import NOTHING, Events, moment, revert
from delivery.model.context import Context
from delivery.model.event import Cause, CauseKind, HoldLifted, HoldPlaced, Phase
from delivery.model.frozen import replace
from delivery.model.hold import Hold, HoldKind
from delivery.model.ids import Micros
from delivery.model.plan import Limit
from delivery.model.release import Release

RISING = (Phase.PREPARING, Phase.SHIFTING, Phase.BAKING)
"""Phases in which something may still rise, so that surroundings matter."""
DERIVED = (HoldKind.FREEZE, HoldKind.STOP, HoldKind.APPROVAL)
_CAUSES = {
    HoldKind.LOW_TRAFFIC: CauseKind.LOW_TRAFFIC,
    HoldKind.INCONCLUSIVE: CauseKind.INCONCLUSIVE,
    HoldKind.NO_DATA: CauseKind.NO_DATA,
    HoldKind.BASELINE_UNREADY: CauseKind.NO_DATA,
}


def derived(release: Release, context: Context) -> Events:
    """Makes the record say what the surroundings are: freeze, stop, an approval that is waited for.

    They are derived, and recorded nevertheless: history then shows why a release waited, and its clock stands still
    from just when to just when.
    """
    if release.phase not in RISING:
        return NOTHING
    at = moment(release, context)
    found = {
        HoldKind.FREEZE: _freeze(release, context, at),
        HoldKind.STOP: _stop(release, context, at),
        HoldKind.APPROVAL: _approval(release, at),
    }
    return tuple(event for kind in DERIVED for event in _recorded(release, kind, found[kind], at))


def _recorded(release: Release, kind: HoldKind, wanted: HoldPlaced | None, at: Micros) -> Events:
    held = find(release, kind)
    if wanted is None:
        return (HoldLifted(at=at, kind=kind),) if held is not None else NOTHING
    same = held is not None and replace(wanted.hold, since=held.since) == held
    return NOTHING if same else (wanted,)


def _freeze(release: Release, context: Context, at: Micros) -> HoldPlaced | None:
    """The rollback of a finished release is free of freezes; an override lasts for the window that it was given in."""
    freeze = context.freeze
    if freeze is None or release.rolls_back is not None or freeze.start <= release.freeze_lifted_at:
        return None
    return placed(HoldKind.FREEZE, at, freeze.name, until=freeze.end)


def _stop(release: Release, context: Context, at: Micros) -> HoldPlaced | None:
    stop = context.stop
    if stop is None or release.rolls_back is not None:
        return None
    return placed(HoldKind.STOP, at, stop.reason, stop.by)


def _approval(release: Release, at: Micros) -> HoldPlaced | None:
    """It is asked for when nothing else of the stage is left to do, and may expire from then on."""
    guard = path.next_guard(release)
    if guard is None or not path.stage_done(release) or path.met(release, guard):
        return None
    held = find(release, HoldKind.APPROVAL)
    until = held.until if held is not None else _expires(guard, at)
    return placed(HoldKind.APPROVAL, at, _asked(release, guard), until=until)


def _expires(guard: Guard, at: Micros) -> Micros | None:
    return None if guard.approval.expires is None else Micros(at + guard.approval.expires)


def _asked(release: Release, guard: Guard) -> str:
    stages = release.plan.stages
    name = stages[guard.stage].name if guard.stage < len(stages) else "100 %"
    return f"{name} needs {guard.approval.count} of {guard.approval.group or 'the approvers'}"


def limits(release: Release, context: Context) -> Events:
    """What follows when a hold has lasted as long as it may. One at a time."""
    at = moment(release, context)
    for hold in release.holds:
        if hold.until is not None and hold.until <= at and (events := _at_limit(release, hold, at)):
            return events
    return NOTHING


def _at_limit(release: Release, hold: Hold, at: Micros) -> Events:
    if hold.kind is HoldKind.DRIFT_STORM:
        return (HoldLifted(at=at, kind=hold.kind),)
    if hold.kind is HoldKind.APPROVAL:
        guard = path.next_guard(release)
        then = Phase.WITHDRAWN if guard is not None and guard.asks else None
        return revert(release, at, Cause(CauseKind.APPROVAL_EXPIRED, reason=hold.detail), then)
    if hold.kind not in OWN_LIMIT:
        return NOTHING  # a freeze says when it ends; that it ended is told by the context
    if release.plan.at_limit is Limit.REVERT:
        return revert(release, at, Cause(_CAUSES[hold.kind], reason=hold.detail), Phase.ROLLED_BACK)
    return (HoldPlaced(at=at, hold=replace(hold, until=None)),)
