"""To raise exposure while a hold is on, where the plan asks people to agree to that: who, and how many are missing.

A revert asks nobody: this is only looked at while something may still rise. Nor are people asked about what they have
placed themselves, or what only an admin may lift.
"""

from delivery.machine import path
from delivery.machine.holds import HOLDS, Lifts, find
from delivery.machine.refusal import CONFLICT, FORBIDDEN, Refusal
from delivery.machine.rules.holds import RISING
from delivery.model.event import OverrideApproved, Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import Micros, Principal
from delivery.model.release import Release
from delivery.model.signal import Resume


def due(release: Release, kind: HoldKind, actor: Principal) -> bool:
    """Whether lifting this hold takes the people of the plan's `override`."""
    hold, rises = find(release, kind), release.phase is Phase.QUEUED or release.phase in RISING
    if release.plan.override is None or hold is None or not rises:
        return False
    if path.first_version(release) or release.rolls_back is not None:
        return False
    return HOLDS[kind].lifts in (Lifts.ANYONE, Lifts.WITH_REASON) and hold.by != actor


def unmet(release: Release, kind: HoldKind, actor: Principal, at: Micros) -> int:
    """How many are missing once this person agrees."""
    if release.plan.override is None or not due(release, kind, actor):
        return 0
    return release.plan.override.count - len({*_agreed(release, kind, at), actor})


def agree(release: Release, kind: HoldKind, signal: Resume, at: Micros) -> OverrideApproved:
    """One person's word. Four eyes: never the initiator's own. Raises Refusal."""
    override = release.plan.override
    if override is None:
        raise ValueError("nobody is asked")
    if path.is_one_of(signal.actor, (release.actor,)):
        raise Refusal(FORBIDDEN, f"{signal.actor} started this release; somebody else must agree to lift {kind.value}")
    if override.group is not None and override.group not in signal.groups:
        raise Refusal(FORBIDDEN, f"to lift {kind.value} is for {override.group}; {signal.actor} is not in it")
    if path.is_one_of(signal.actor, _agreed(release, kind, at)):
        raise Refusal(CONFLICT, f"{signal.actor} agreed already; {asked(release, kind, at)}")
    until = None if override.expires is None else Micros(at + override.expires)
    return OverrideApproved(at=at, kind=kind, actor=signal.actor, reason=signal.reason, via=signal.via, until=until)


def asked(release: Release, kind: HoldKind, at: Micros) -> str:
    """`to lift it needs 1 of sre, not alice`."""
    override = release.plan.override
    if override is None:
        return "nobody is asked"
    missing = override.count - len(_agreed(release, kind, at))
    people = f"of {override.group}" if override.group else ("approver" if missing == 1 else "approvers")
    return f"to lift it needs {missing} {people}, not {release.actor}: each resumes it, naming {kind.value}"


def _agreed(release: Release, kind: HoldKind, at: Micros) -> set[Principal]:
    words = (word for word in release.overrides or () if word.kind is kind)
    return {word.actor for word in words if word.until is None or word.until > at}
