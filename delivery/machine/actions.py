"""What somebody could do to a release now: not whether this person may, but whether anybody could."""

from delivery.machine import path
from delivery.machine.evolve import evolve
from delivery.machine.holds import HOLDS, Lifts
from delivery.machine.refusal import Refusal
from delivery.machine.rules.holds import derived
from delivery.machine.table import TABLE
from delivery.model.context import Context
from delivery.model.event import Phase
from delivery.model.ids import Principal
from delivery.model.release import Release
from delivery.model.signal import Abort, Approve, Pause, PersonSignal, PromoteNow, Reject, Resume

SOMEBODY = Principal("")
"""A person who did nothing yet, so that no rule about persons stands in the way."""


def allowed(release: Release, context: Context) -> tuple[str, ...]:
    """The actions that the rules would take from somebody who may do everything: the rules themselves are asked.

    `retry` and `rollback` make a new release; whether the target lets them is for admission to say.
    """
    if release.phase.closed:
        return ("rollback",) if release.phase is Phase.PROMOTED else ("retry",)
    for event in derived(release, context):
        release = evolve(release, event)
    return tuple(name for name, signal in _attempts(release).items() if _fits(release, signal, context))


def _attempts(release: Release) -> dict[str, PersonSignal]:
    guard = path.next_guard(release)
    groups = (guard.approval.group,) if guard is not None and guard.approval.group else ()
    liftable = tuple(hold.kind for hold in release.holds if HOLDS[hold.kind].lifts is not Lifts.NOBODY)
    return {
        "approve": Approve(SOMEBODY, groups=groups),
        "reject": Reject(SOMEBODY),
        "pause": Pause(SOMEBODY),
        "resume": Resume(SOMEBODY, reason="asked", admin=True, holds=liftable),
        "promote": PromoteNow(SOMEBODY),
        "abort": Abort(SOMEBODY),
    }


def _fits(release: Release, signal: PersonSignal, context: Context) -> bool:
    try:
        TABLE[(release.phase, type(signal))](release, signal, context)
    except Refusal:
        return False
    return True
