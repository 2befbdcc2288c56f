"""An event: a version is there."""

from delivery.machine.admitting.begin import Wish, begin, open_release
from delivery.machine.admitting.case import Case, no_op, noted
from delivery.machine.advance import tell
from delivery.machine.change import Admission, Change
from delivery.model.event import Phase
from delivery.model.frozen import replace
from delivery.model.notice import ReleaseRequested
from delivery.model.release import Release
from delivery.model.service import OnNewVersion
from delivery.model.signal import StableAgain, SupersededBy
from delivery.model.target import World

NAMED_KEPT = 20
"""Identities of one moment and source: senders whose clocks tell whole seconds may ask for several in one."""


def requested(case: Case, says: ReleaseRequested) -> Admission:
    """Told apart before anything begins: what is older, running already, known to be bad, or repeated."""
    target, identity = case.world.target, says.version.identity
    newest, time = target.newest.get(case.notice.source), case.notice.time
    if time is not None and newest is not None and time < newest:
        return no_op("older_event", f"a newer event of {case.notice.source} was accepted before this one")
    repeated = time is not None and time == newest and identity in target.named.get(case.notice.source, ())
    case = replace(case, world=_with_newest(case, identity))
    if target.stable is not None and identity == target.stable.identity:
        return _stable_asked_for(case, says, repeated)
    if known := open_release(case.world, identity):
        return _wanted_already(case, known, ordered=time is not None and not repeated)
    if identity in target.rejected:
        text = f"{says.version.version} came to a bad end here before; retry that release to try it again"
        return noted(case, "rejected_identity", text)
    if repeated:
        return no_op("repeated_event", "this event was taken before, under another id: a newer one asks anew")
    if case.policy is OnNewVersion.REJECT and target.active is not None and not says.urgent:
        return noted(case, "busy", "another release runs, and the service says to reject new versions meanwhile")
    return begin(case, Wish(says.version, says.actor, says.urgent, case.plan, dict(says.origin)))


def _with_newest(case: Case, identity: str) -> World:
    time, source, target = case.notice.time, case.notice.source, case.world.target
    if time is None:
        return case.world
    known = target.named.get(source, ()) if target.newest.get(source) == time else ()
    named = known if identity in known else (*known, identity)[-NAMED_KEPT:]
    after = replace(target, newest={**target.newest, source: time}, named={**target.named, source: named})
    return replace(case.world, target=after)


def _wanted_already(case: Case, known: Release, ordered: bool) -> Admission:
    """A release brings it already. Where that one runs, a newer wish for it outdates what waits behind it."""
    text, waiting = f"release #{known.number} has this version already", case.world.target.queue
    if known.id in waiting or not waiting or not ordered:
        return noted(case, f"same_as_{_place(known)}", text, known)
    change = Change(case.world)
    for outdated in waiting:
        change = change.then(tell(change.world, outdated, SupersededBy(known.id), case.context))
    return Admission("signal", "active_again", f"{text}; what waited behind it is superseded", known.id, change)


def _place(release: Release) -> str:
    return "queued" if release.phase is Phase.QUEUED else "active"


def _stable_asked_for(case: Case, says: ReleaseRequested, repeated: bool) -> Admission:
    """The stable version again: whatever runs goes straight back, whatever waits is over.

    Not by the event that brought it here, should that come once more; and not while a person is rolling it back.
    """
    target, active = case.world.target, case.world.active
    if active is not None and active.rolls_back is not None:
        return noted(case, "being_rolled_back", f"release #{active.number} is rolling it back", active)
    if repeated:
        return noted(case, "same_as_stable", f"{says.version.version} is stable here already")
    change = Change(case.world)
    for release in (*target.queue, *((target.active,) if target.active else ())):
        change = change.then(tell(change.world, release, StableAgain(says.actor), case.context))
    if not change.moves:
        return noted(case, "same_as_stable", f"{says.version.version} is stable here already")
    told = target.active or target.queue[0]
    return Admission("signal", "stable_again", f"back to {says.version.version}, which is stable", told, change)
