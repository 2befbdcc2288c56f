"""What a notice means for a target: a new release, a word to one that is there, or nothing, with its reason.

A newer wish that changes nothing is still remembered as the newest, so that an older one that comes late is known to
be older.
"""

from collections.abc import Callable
from typing import Any

from delivery.machine.admitting.again import again
from delivery.machine.admitting.case import Case, known, no_op
from delivery.machine.admitting.requested import requested
from delivery.machine.advance import tell
from delivery.machine.change import Admission, Change
from delivery.machine.refusal import NEEDS_REASON, Refusal
from delivery.machine.rules.outside import unmoved_by
from delivery.model.context import Context
from delivery.model.frozen import replace
from delivery.model.notice import Again, Alert, HandsOff, Notice, ReleaseAction, ReleaseRequested
from delivery.model.plan import Plan
from delivery.model.service import OnNewVersion
from delivery.model.signal import Abort, AlertFired, Approve, Pause, PersonSignal, PromoteNow, Reject, Resume
from delivery.model.target import Target, World


def admit(world: World, notice: Notice, plan: Plan, policy: OnNewVersion, context: Context) -> Admission:
    """Decides. A release that a notice names must be among `world.releases`; a new one gets `context.fresh_ids[0]`.

    Raises Refusal to people.
    """
    return _SAYS[type(notice.says)](Case(world, notice, plan, policy, context), notice.says)


def _action(case: Case, says: ReleaseAction) -> Admission:
    """A person's word to one release."""
    release = known(case.world, says.release)
    change = tell(case.world, release.id, says.signal, case.context)
    after = change.world.releases[release.id]
    text = f"release #{after.number} is {after.phase.value}"
    return Admission("signal", _TOLD[type(says.signal)], text, release.id, change)


_HANDS_OFF = "nothing of ours is written here until a resume of the service: a way back is not, either"


def _hands_off(case: Case, says: HandsOff) -> Admission:
    """Writes of ours stop, or go on. A release that runs is held, and its revert waits for the hand that steers."""
    target = case.world.target
    if says.off and not says.reason:
        raise Refusal(NEEDS_REASON, "say why: everybody who is held by it sees this")
    if says.off == (target.paused is not None):
        return no_op("as_before", f"it is so already: {_paused(target)}")
    paused = f"{says.actor}: {says.reason}" if says.off else None
    world = replace(case.world, target=replace(target, paused=paused))
    reason, text = ("paused", _HANDS_OFF) if says.off else ("resumed", "routes are ours again")
    if not says.off and target.paused_there is not None:
        text = f"nothing is written all the same: {target.paused_there}"
    return Admission("signal", reason, text, target.active, Change(world))


def _paused(target: Target) -> str:
    """Why nothing is written, where somebody asked for that; a pause in the mesh itself is not for us to end."""
    return target.in_hand or "nothing is paused"


def _alert(case: Case, says: Alert) -> Admission:
    active, fired = case.world.active, AlertFired(says.name, says.started)
    if active is None:
        return no_op("no_release", "no release runs that it could be about")
    against = unmoved_by(active, fired)
    if against is not None:
        return no_op(*against, active)
    change = tell(case.world, active.id, fired, case.context)
    return Admission("signal", "aborted", f"{says.name} takes release #{active.number} back", active.id, change)


_TOLD: dict[type[PersonSignal], str] = {
    Approve: "approved",
    Reject: "rejected",
    Pause: "paused",
    Resume: "resumed",
    Abort: "aborted",
    PromoteNow: "promoted",
}
_SAYS: dict[type, Callable[[Case, Any], Admission]] = {
    ReleaseRequested: requested,
    ReleaseAction: _action,
    Again: again,
    HandsOff: _hands_off,
    Alert: _alert,
}
