"""What a notice means for a target: a new release, a word to one that is there, or nothing, with its reason.

Order matters: what is repeated, older or known to be bad is told apart before anything begins. A newer wish that
changes nothing is still remembered as the newest, so that an older one that comes late is known to be older.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from delivery.machine.advance import BLAMELESS, start_next, tell
from delivery.machine.change import Admission, Change, Move
from delivery.machine.evolve import evolve
from delivery.machine.refusal import CONFLICT, NEEDS_REASON, Refusal
from delivery.machine.rules.outside import unmoved_by
from delivery.model.codec import digest
from delivery.model.context import Context
from delivery.model.event import Created, Phase
from delivery.model.ids import Principal, ReleaseId
from delivery.model.notice import Again, Alert, HandsOff, Notice, ReleaseAction, ReleaseRequested
from delivery.model.plan import Plan
from delivery.model.release import Release
from delivery.model.service import OnNewVersion
from delivery.model.signal import (
    Abort,
    AlertFired,
    Approve,
    Pause,
    PersonSignal,
    PromoteNow,
    Reject,
    Resume,
    StableAgain,
    SupersededBy,
)
from delivery.model.target import World
from delivery.model.version import VersionRef


@dataclass(frozen=True, slots=True)
class Case:
    """What an admission is decided on. `plan` is what a release of this service would follow now."""

    world: World
    notice: Notice
    plan: Plan
    policy: OnNewVersion
    context: Context


@dataclass(frozen=True, slots=True)
class Wish:
    """A release that somebody wants."""

    candidate: VersionRef
    actor: Principal
    urgent: bool
    plan: Plan
    origin: dict[str, str]
    retry_of: ReleaseId | None = None
    rolls_back: ReleaseId | None = None


def admit(world: World, notice: Notice, plan: Plan, policy: OnNewVersion, context: Context) -> Admission:
    """Decides. A release that a notice names must be among `world.releases`; a new one gets `context.fresh_ids[0]`.

    Raises Refusal to people.
    """
    return _SAYS[type(notice.says)](Case(world, notice, plan, policy, context), notice.says)


# an event: a version is there


def _requested(case: Case, says: ReleaseRequested) -> Admission:
    target, identity = case.world.target, says.version.identity
    newest, time = target.newest.get(case.notice.source), case.notice.time
    if time is not None and newest is not None and time < newest:
        return _no_op("older_event", f"a newer event of {case.notice.source} was accepted before this one")
    repeated = time is not None and time == newest
    case = replace(case, world=_with_newest(case))
    if target.stable is not None and identity == target.stable.identity:
        return _stable_asked_for(case, says, repeated)
    if known := _running_or_waiting(case.world, identity):
        return _wanted_already(case, known, ordered=time is not None and not repeated)
    if identity in target.rejected:
        text = f"{says.version.version} came to a bad end here before; retry that release to try it again"
        return _wish_noted(case, "rejected_identity", text)
    if case.policy is OnNewVersion.REJECT and target.active is not None and not says.urgent:
        return _wish_noted(case, "busy", "another release runs, and the service says to reject new versions meanwhile")
    return _begun(case, Wish(says.version, says.actor, says.urgent, case.plan, dict(says.origin)))


def _with_newest(case: Case) -> World:
    time = case.notice.time
    if time is None:
        return case.world
    target = case.world.target
    return replace(case.world, target=replace(target, newest={**target.newest, case.notice.source: time}))


def _running_or_waiting(world: World, identity: str) -> Release | None:
    """A release of this identity that is not over; one that goes back for no fault of its own does not count."""
    ids = (world.target.active, *world.target.queue)
    open_ones = (world.releases[release] for release in ids if release is not None)
    return next((one for one in open_ones if one.candidate.identity == identity and not _leaves_blameless(one)), None)


def _wanted_already(case: Case, known: Release, ordered: bool) -> Admission:
    """A release brings it already. Where that one runs, a newer wish for it outdates what waits behind it."""
    text, waiting = f"release #{known.number} has this version already", case.world.target.queue
    if known.id in waiting or not waiting or not ordered:
        return _wish_noted(case, f"same_as_{_place(known)}", text, known)
    change = Change(case.world)
    for outdated in waiting:
        change = _then(change, tell(change.world, outdated, SupersededBy(known.id), case.context))
    return Admission("signal", "active_again", f"{text}; what waited behind it is superseded", known.id, change)


def _leaves_blameless(release: Release) -> bool:
    return release.phase is Phase.ROLLING_BACK and release.cause is not None and release.cause.kind in BLAMELESS


def _place(release: Release) -> str:
    return "queued" if release.phase is Phase.QUEUED else "active"


def _stable_asked_for(case: Case, says: ReleaseRequested, repeated: bool) -> Admission:
    """The stable version again: whatever runs goes straight back, whatever waits is over.

    Not by the event that brought it here, should that come once more; and not while a person is rolling it back.
    """
    target, active = case.world.target, case.world.active
    if active is not None and active.rolls_back is not None:
        return _wish_noted(case, "being_rolled_back", f"release #{active.number} is rolling it back", active)
    if repeated:
        return _wish_noted(case, "same_as_stable", f"{says.version.version} is stable here already")
    change = Change(case.world)
    for release in (*target.queue, *((target.active,) if target.active else ())):
        change = _then(change, tell(change.world, release, StableAgain(says.actor), case.context))
    if not change.moves:
        return _wish_noted(case, "same_as_stable", f"{says.version.version} is stable here already")
    told = target.active or target.queue[0]
    return Admission("signal", "stable_again", f"back to {says.version.version}, which is stable", told, change)


# a new release


def _begun(case: Case, wish: Wish) -> Admission:
    """Creates the release; it starts at once, waits, or takes the place of what runs. Only the newest waits."""
    created = _created(case, wish)
    world, release = case.world, created.after.id
    waiting = world.target.queue
    target = replace(world.target, number=world.target.number + 1, queue=(*waiting, release))
    change = Change(World(target, {**world.releases, release: created.after}), (created,))
    gives_way = waiting
    if world.active is not None and _supersedes(case, wish, world.active):
        gives_way += (world.active.id,)
    for older in gives_way:
        change = _then(change, tell(change.world, older, SupersededBy(release), case.context))
    change = start_next(change, case.context)
    return Admission("release", *_how(change.world, release), release, change)


def _supersedes(case: Case, wish: Wish, active: Release) -> bool:
    """A rollback is short and somebody's decision: nothing takes its place, all wait for it."""
    return active.rolls_back is None and (wish.urgent or case.policy is OnNewVersion.SUPERSEDE)


def _created(case: Case, wish: Wish) -> Move:
    event = Created(
        at=case.context.now,
        release=case.context.fresh_ids[0],
        number=case.world.target.number + 1,
        target=case.world.target.id,
        candidate=wish.candidate,
        actor=wish.actor,
        plan=wish.plan,
        plan_digest=digest(wish.plan),
        retry_of=wish.retry_of,
        rolls_back=wish.rolls_back,
        urgent=wish.urgent,
        origin=wish.origin,
    )
    return Move(None, event, evolve(None, event))


def _how(world: World, release: ReleaseId) -> tuple[str, str]:
    """Where the new release stands, as code and sentence."""
    if world.target.active == release:
        return "started", "it started"
    active = world.active
    if active is None:
        return "over", "there was nothing left to do"
    if active.phase is Phase.ROLLING_BACK:
        return "superseding", f"it starts once release #{active.number} is back at 0 %"
    return "queued", f"it waits for release #{active.number}"


# a person's word


def _action(case: Case, says: ReleaseAction) -> Admission:
    release = _known(case.world, says.release)
    change = tell(case.world, release.id, says.signal, case.context)
    after = change.world.releases[release.id]
    text = f"release #{after.number} is {after.phase.value}"
    return Admission("signal", _TOLD[type(says.signal)], text, release.id, change)


def _again(case: Case, says: Again) -> Admission:
    old = _known(case.world, says.release)
    if not old.phase.closed:
        raise Refusal(CONFLICT, f"release #{old.number} is not over: it is {old.phase.value}")
    wish = _back(case, says, old) if says.back else _retry(case, says, old)
    if known := _running_or_waiting(case.world, wish.candidate.identity):
        raise Refusal(CONFLICT, f"release #{known.number} is bringing {wish.candidate.version} already")
    return _begun(case, wish)


def _known(world: World, release: ReleaseId) -> Release:
    if release not in world.releases:
        raise Refusal(CONFLICT, f"{release} is over and not among the newest of {world.target.id}")
    return world.releases[release]


def _retry(case: Case, says: Again, old: Release) -> Wish:
    """The same candidate once more, by today's plan; a person vouches for it, so it may have been rejected."""
    stable, active = case.world.target.stable, case.world.active
    if old.phase is Phase.PROMOTED:
        raise Refusal(CONFLICT, f"release #{old.number} was promoted: there is nothing to retry", ("rollback",))
    if stable is not None and old.candidate.identity == stable.identity:
        raise Refusal(CONFLICT, f"{old.candidate.version} is stable here already")
    if active is not None and case.policy is OnNewVersion.REJECT:
        raise Refusal(CONFLICT, f"release #{active.number} runs, and the service says to reject new versions meanwhile")
    return Wish(old.candidate, says.actor, False, case.plan, _told(says), retry_of=old.id)


def _back(case: Case, says: Again, old: Release) -> Wish:
    """The version that a promoted release replaced: straight to 100 percent when ready, and before what runs."""
    stable, before = case.world.target.stable, old.bound.stable if old.bound else None
    if old.phase is not Phase.PROMOTED:
        raise Refusal(CONFLICT, f"release #{old.number} was not promoted: there is nothing to roll back", ("retry",))
    if before is None:
        raise Refusal(CONFLICT, f"release #{old.number} was the first version here: there is nothing before it")
    if stable is None or stable.identity != old.candidate.identity:
        now = stable.version if stable else "nothing"
        raise Refusal(CONFLICT, f"{old.candidate.version} is not stable any more ({now} is): roll that release back")
    straight = replace(case.plan, stages=(), then=None, promotion=None)
    return Wish(before, says.actor, True, straight, _told(says), rolls_back=old.id)


def _told(says: Again) -> dict[str, str]:
    told = {"via": says.via, "reason": says.reason}
    return {key: value for key, value in told.items() if value}


# break-glass


def _hands_off(case: Case, says: HandsOff) -> Admission:
    """Writes of ours stop, or go on. A release that runs is held, and its revert waits for the hand that steers."""
    target = case.world.target
    if says.off and not says.reason:
        raise Refusal(NEEDS_REASON, "say why: everybody who is held by it sees this")
    if says.off == (target.paused is not None):
        return _no_op("as_before", f"it is so already: {target.paused or 'nothing is paused'}")
    paused = f"{says.actor}: {says.reason}" if says.off else None
    world = replace(case.world, target=replace(target, paused=paused))
    reason, text = ("paused", "nothing of ours is written here") if says.off else ("resumed", "routes are ours again")
    return Admission("signal", reason, text, target.active, Change(world))


# an alert


def _alert(case: Case, says: Alert) -> Admission:
    active, fired = case.world.active, AlertFired(says.name, says.started)
    if active is None:
        return _no_op("no_release", "no release runs that it could be about")
    against = unmoved_by(active, fired)
    if against is not None:
        return _no_op(*against, active)
    change = tell(case.world, active.id, fired, case.context)
    return Admission("signal", "aborted", f"{says.name} takes release #{active.number} back", active.id, change)


# shared


def _no_op(reason: str, text: str, about: Release | None = None) -> Admission:
    return Admission("no_op", reason, text, about.id if about else None)


def _wish_noted(case: Case, reason: str, text: str, about: Release | None = None) -> Admission:
    """Changes at most what the newest event of its source is, so that an older one that comes late is known as such."""
    return replace(_no_op(reason, text, about), change=Change(case.world))


def _then(before: Change, after: Change) -> Change:
    return Change(after.world, (*before.moves, *after.moves))


_TOLD: dict[type[PersonSignal], str] = {
    Approve: "approved",
    Reject: "rejected",
    Pause: "paused",
    Resume: "resumed",
    Abort: "aborted",
    PromoteNow: "promoted",
}
_SAYS: dict[type, Callable[[Case, Any], Admission]] = {
    ReleaseRequested: _requested,
    ReleaseAction: _action,
    Again: _again,
    HandsOff: _hands_off,
    Alert: _alert,
}
