"""What whoever looks at a release may do to it now. The machine's own rules are asked, with this person's word."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from api.access.caller import Caller
from api.people import NEEDS
from delivery.machine.actions import held_now, refusal
from delivery.machine.holds import HOLDS, Lifts
from delivery.machine.refusal import Refusal
from delivery.model.context import Context
from delivery.model.hold import Hold, HoldKind
from delivery.model.release import Release
from delivery.model.role import Role
from delivery.model.signal import Abort, Approve, Pause, PersonSignal, PromoteNow, Reject, Resume
from delivery.wording.action import ACTIONS
from delivery.wording.hold import what

SIGNALS: Mapping[str, type[PersonSignal]] = {
    "approve": Approve,
    "reject": Reject,
    "pause": Pause,
    "promote": PromoteNow,
    "abort": Abort,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A hold that can be lifted by naming it."""

    kind: str
    text: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """`why_not` is empty where this person may do it now. `holds` are those that `resume` can name."""

    action: str
    title: str
    effect: str
    why_not: str = ""
    needs_reason: bool = False
    holds: tuple[Choice, ...] = ()


Reach = Callable[[str], str]
"""Why the scope of somebody's token does not reach an action on this release; empty where it does."""


def offers(
    release: Release, context: Context, possible: Collection[str], caller: Caller, reach: Reach
) -> tuple[Offer, ...]:
    """All that somebody could do now, in the order in which it is always shown; for the rest there is no state."""
    release = held_now(release, context)
    return tuple(_offer(action, release, context, caller, reach) for action in ACTIONS if action in possible)


def _offer(action: str, release: Release, context: Context, caller: Caller, reach: Reach) -> Offer:
    said, needed = ACTIONS[action], NEEDS.get(action, Role.OPERATOR)
    if not caller.role.covers(needed):
        why_not = f"this needs the role {needed.value}; you have the role {caller.role.value}"
        return Offer(action, said.title, said.effect, why_not)
    if why_not := reach(action):
        return Offer(action, said.title, said.effect, why_not)
    if action == "resume":
        return _resume(release, context, caller)
    return Offer(action, said.title, said.effect, _why_not(action, release, context, caller))


def _why_not(action: str, release: Release, context: Context, caller: Caller) -> str:
    if action not in SIGNALS:
        return ""
    word = SIGNALS[action](caller.principal, groups=caller.groups, admin=caller.role is Role.ADMIN)
    refused = refusal(release, word, context)
    return refused.text if refused else ""


def _resume(release: Release, context: Context, caller: Caller) -> Offer:
    said = ACTIONS["resume"]
    asked = [(hold, _refusal(hold, release, context, caller)) for hold in release.holds]
    holds = [hold for hold, refused in asked if refused is None]
    if not holds:
        why_not = "; ".join(dict.fromkeys(refused.text for _, refused in asked if refused))
        return Offer("resume", said.title, said.effect, why_not)
    first = next((hold for hold in holds if hold.kind is HoldKind.PAUSE), holds[0])
    choices = tuple(Choice(hold.kind.value, what(hold), hold is first) for hold in holds)
    return Offer("resume", said.title, said.effect, needs_reason=_needs_reason(holds), holds=choices)


def _refusal(hold: Hold, release: Release, context: Context, caller: Caller) -> Refusal | None:
    admin = caller.role is Role.ADMIN
    word = Resume(caller.principal, "asked", groups=caller.groups, admin=admin, holds=(hold.kind,))
    return refusal(release, word, context)


def _needs_reason(holds: Sequence[Hold]) -> bool:
    """Where it is sure: each of those that can be named takes one."""
    return all(HOLDS[hold.kind].lifts is Lifts.WITH_REASON for hold in holds)
