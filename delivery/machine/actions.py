"""What somebody could do to a release now: not whether this person may, but whether anybody could."""

from delivery.machine import path
from delivery.machine.evolve import evolve
from delivery.machine.holds import HOLDS, Lifts
from delivery.machine.refusal import Refusal
from delivery.machine.rules.holds import derived
from delivery.machine.table import TABLE
from delivery.model.context import Context
from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import Principal
from delivery.model.release import Release
from delivery.model.signal import Abort, Approve, Pause, PersonSignal, PromoteNow, Reject, Resume
from delivery.model.target import Target

SOMEBODY = Principal("")
"""A person who did nothing yet, so that no rule about persons stands in the way."""


def allowed(release: Release, context: Context, target: Target | None = None) -> tuple[str, ...]:
    """The actions that the rules would take from somebody who may do everything: the rules themselves are asked.

    `retry` and `rollback` make a new release; whether the target lets them is for admission to say. With the `target`
    it is known whether a promoted version was taken back since: then it is retried.
    """
    if release.phase.closed:
        return ("rollback",) if release.phase is Phase.PROMOTED and not taken_back(release, target) else ("retry",)
    release = held_now(release, context)
    return tuple(name for name, signal in _attempts(release).items() if _asked(release, signal, context) is None)


def taken_back(release: Release, target: Target | None) -> bool:
    """Whether its version came to a bad end here, perhaps after it was promoted."""
    return target is not None and release.candidate.identity in target.rejected


def refusal(release: Release, signal: PersonSignal, context: Context) -> Refusal | None:
    """Why the rules would not take this person's word now; None where they would. Nothing is done."""
    return _asked(held_now(release, context), signal, context)


def held_now(release: Release, context: Context) -> Release:
    """With the holds that follow from the surroundings at this moment."""
    for event in derived(release, context):
        release = evolve(release, event)
    return release


def liftable(release: Release) -> tuple[HoldKind, ...]:
    """The holds that a resume may name together: those that only an admin lifts, where there are no others."""
    return _held(release, Lifts.ANYONE, Lifts.WITH_REASON) or _held(release, Lifts.ADMIN)


def _held(release: Release, *by: Lifts) -> tuple[HoldKind, ...]:
    return tuple(hold.kind for hold in release.holds if HOLDS[hold.kind].lifts in by)


def _attempts(release: Release) -> dict[str, PersonSignal]:
    guard = path.next_guard(release)
    asked = [guard.approval if guard else None, release.plan.override]
    groups = tuple(approval.group for approval in asked if approval and approval.group)
    held = _held(release, Lifts.ANYONE, Lifts.WITH_REASON, Lifts.ADMIN)
    return {
        "approve": Approve(SOMEBODY, groups=groups),
        "reject": Reject(SOMEBODY),
        "pause": Pause(SOMEBODY),
        "resume": Resume(SOMEBODY, reason="asked", groups=groups, admin=True, holds=held),
        "promote": PromoteNow(SOMEBODY),
        "abort": Abort(SOMEBODY),
    }


def _asked(release: Release, signal: PersonSignal, context: Context) -> Refusal | None:
    try:
        TABLE[(release.phase, type(signal))](release, signal, context)
    except Refusal as refused:
        return refused
    return None
