"""What people ask for. Each rule answers with events or a Refusal that says why not."""

from delivery.machine import path
from delivery.machine.holds import HOLDS, Lifts, find, placed
from delivery.machine.path import Guard
from delivery.machine.refusal import CONFLICT, FORBIDDEN, NEEDS_REASON, Refusal
from delivery.machine.rules.common import Events, moment, revert
from delivery.machine.rules.overrides import agree, asked, due, unmet
from delivery.model.context import Context
from delivery.model.event import (
    Approved,
    Cause,
    CauseKind,
    Closed,
    HoldLifted,
    Level,
    Phase,
    Rejected,
    RollbackBegun,
    StageSkipped,
    TrafficConfirmed,
)
from delivery.model.hold import Hold, HoldKind
from delivery.model.ids import Micros
from delivery.model.release import Release
from delivery.model.signal import Abort, Approve, Pause, PersonSignal, PromoteNow, Reject, Resume

PROMOTE_LIFTS = (
    HoldKind.PAUSE,
    HoldKind.LOW_TRAFFIC,
    HoldKind.INCONCLUSIVE,
    HoldKind.NO_DATA,
    HoldKind.BASELINE_UNREADY,
)
"""A person who promotes has seen these and goes on."""
PROMOTE_AWAITS = (HoldKind.APPROVAL, HoldKind.CANDIDATE_UNREADY)
"""These do not refuse it: approvals are checked for the whole way, and capacity comes first by itself."""
_WHY_NOT = {
    Phase.QUEUED: "it waits for its turn",
    Phase.PROMOTING: "the candidate is being given all traffic",
    Phase.ROLLING_BACK: "traffic is going back to stable",
}


def refuse(release: Release, signal: PersonSignal, context: Context) -> Events:
    """It does not fit this phase: a conflict, with the actions that do fit."""
    why = _WHY_NOT.get(release.phase, f"it is over ({release.phase.value})")
    raise Refusal(CONFLICT, f"release #{release.number}: {why}")


def approve(release: Release, signal: Approve, context: Context) -> Events:
    """One vote for what comes next; it may come before the stage has passed. Four eyes: never the initiator's own."""
    guard = _guard(release, signal)
    hold = find(release, HoldKind.APPROVAL)
    if hold is not None and hold.until is not None and hold.until <= moment(release, context):
        raise Refusal(CONFLICT, f"the time to approve {_name(release, guard)} is over")
    if path.is_one_of(signal.actor, (release.actor,)):
        raise Refusal(FORBIDDEN, f"{signal.actor} started this release; somebody else must approve it")
    group = guard.approval.group
    if group is not None and group not in signal.groups:
        raise Refusal(FORBIDDEN, f"{_name(release, guard)} is approved by {group}; {signal.actor} is not in it")
    if path.met(release, guard):
        raise Refusal(CONFLICT, f"{_name(release, guard)} has all the approvals it needs")
    if path.is_one_of(signal.actor, path.votes(release, guard.stage)):
        raise Refusal(CONFLICT, f"{signal.actor} approved already; it takes {guard.approval.count} different people")
    return (
        Approved(
            at=moment(release, context),
            stage=guard.stage,
            dseq=release.dseq,
            actor=signal.actor,
            reason=signal.reason,
            via=signal.via,
        ),
    )


def reject(release: Release, signal: Reject, context: Context) -> Events:
    """A no to what comes next takes the release back, whoever else approved. The initiator may say it too."""
    guard, at = _guard(release, signal), moment(release, context)
    no = Rejected(at=at, stage=guard.stage, dseq=release.dseq, actor=signal.actor, reason=signal.reason, via=signal.via)
    cause = Cause(CauseKind.REJECTED, actor=signal.actor, reason=signal.reason, via=signal.via)
    return (no, *revert(release, at, cause, Phase.WITHDRAWN if guard.asks else None))


def _guard(release: Release, signal: PersonSignal) -> Guard:
    guard = path.next_guard(release)
    if guard is None:
        raise Refusal(CONFLICT, "nothing here waits for an approval")
    _current(release, signal)
    return guard


def _current(release: Release, signal: PersonSignal) -> None:
    """What the person saw must still be live, where they told what they saw."""
    if signal.dseq is not None and signal.dseq != release.dseq:
        raise Refusal(CONFLICT, "the release has moved on since you saw it: look again, then decide")


def _name(release: Release, guard: Guard) -> str:
    return "the raise to 100 %" if guard.stage == len(release.plan.stages) else release.plan.stages[guard.stage].name


def pause(release: Release, signal: Pause, context: Context) -> Events:
    """Nothing rises until it is resumed; measuring and reverts go on. A queued release prepares and then waits."""
    held = find(release, HoldKind.PAUSE)
    if held is not None:
        raise Refusal(CONFLICT, f"it is paused already, by {held.by}")
    return (placed(HoldKind.PAUSE, moment(release, context), signal.reason, signal.actor, via=signal.via),)


def resume(release: Release, signal: Resume, context: Context) -> Events:
    """Lifts exactly the holds that are named, all or none. Naming stragglers accepts what the other proxies proved.

    Where the plan asks people to agree to that (`override`), it is one person's word, and the last one needed lifts it.
    """
    if not signal.holds:
        raise Refusal(CONFLICT, f"name the holds to lift; there are: {_held(release)}")
    _current(release, signal)
    for kind in signal.holds:
        _may_lift(release, kind, signal)
    at = moment(release, context)
    kinds = tuple(dict.fromkeys(signal.holds))
    words = tuple(agree(release, kind, signal, at) for kind in kinds if due(release, kind, signal.actor))
    ended = tuple(kind for kind in kinds if unmet(release, kind, signal.actor, at) <= 0)
    lifted: Events = (
        *words,
        *(HoldLifted(at=at, kind=kind, by=signal.actor, reason=signal.reason, via=signal.via) for kind in ended),
    )
    if HoldKind.STRAGGLERS in ended and release.confirmed != release.dseq and not path.capped(release):
        lifted += (TrafficConfirmed(at=at, dseq=release.dseq, level=Level.WRITTEN),)
    return lifted


def _may_lift(release: Release, kind: HoldKind, signal: Resume) -> None:
    hold, rule = find(release, kind), HOLDS[kind]
    if hold is None:
        raise Refusal(CONFLICT, f"it is not held by {kind.value}; its holds: {_held(release)}")
    if rule.lifts is Lifts.NOBODY:
        raise Refusal(CONFLICT, f"{kind.value} cannot be resumed; what ends it: {rule.ends}")
    if rule.lifts is Lifts.ADMIN and not signal.admin:
        raise Refusal(FORBIDDEN, f"only an admin may lift {kind.value}")
    if rule.lifts is Lifts.WITH_REASON and not signal.reason.strip():
        raise Refusal(NEEDS_REASON, f"to override {_described(hold)} takes a reason")


def _held(release: Release) -> str:
    return ", ".join(hold.kind.value for hold in release.holds) or "none"


def _described(hold: Hold) -> str:
    return f"{hold.kind.value} {hold.detail}".strip()


def abort(release: Release, signal: Abort, context: Context) -> Events:
    """Back to stable now. Never refused while anything of the candidate may be live, however old the page was."""
    return revert(release, moment(release, context), _aborted(signal))


def cancel(release: Release, signal: Abort, context: Context) -> Events:
    """An abort before its turn came: it is over."""
    return (Closed(at=moment(release, context), phase=Phase.CANCELLED, cause=_aborted(signal)),)


def insist(release: Release, signal: Abort, context: Context) -> Events:
    """A second abort. Where users stay because stable is not ready, it takes them to stable all the same."""
    if not release.stay or release.then is None:
        return refuse(release, signal, context)
    return (RollbackBegun(at=moment(release, context), cause=_aborted(signal), then=release.then),)


def _aborted(signal: Abort) -> Cause:
    return Cause(CauseKind.ABORTED, actor=signal.actor, reason=signal.reason, via=signal.via)


def promote(release: Release, signal: PromoteNow, context: Context) -> Events:
    """Skips every remaining stage. The raise itself follows by the ordinary rules: capacity still comes first."""
    _current(release, signal)
    at = moment(release, context)
    _nothing_forbids(release, signal, at)
    lifted = tuple(
        HoldLifted(at=at, kind=hold.kind, by=signal.actor, reason=signal.reason, via=signal.via)
        for hold in release.holds
        if hold.kind in PROMOTE_LIFTS
    )
    left = () if path.first_version(release) else range(release.passed + 1, len(release.plan.stages))
    skipped = tuple(
        StageSkipped(at=at, stage=stage, actor=signal.actor, reason=signal.reason, via=signal.via) for stage in left
    )
    if not lifted and not skipped:
        raise Refusal(CONFLICT, "no stage is left to skip: it goes on to 100 % by itself")
    return (*lifted, *skipped)


def _nothing_forbids(release: Release, signal: PromoteNow, at: Micros) -> None:
    for hold in release.holds:
        if hold.kind not in (*PROMOTE_LIFTS, *PROMOTE_AWAITS):
            raise Refusal(CONFLICT, f"it is held by {_described(hold)}; what ends that: {HOLDS[hold.kind].ends}")
        if due(release, hold.kind, signal.actor):
            raise Refusal(CONFLICT, f"it is held by {_described(hold)}: {asked(release, hold.kind, at)}")
    wanted = path.unmet_ahead(release)
    if wanted is not None:
        raise Refusal(CONFLICT, f"{_name(release, wanted)} needs an approval that it does not have")
