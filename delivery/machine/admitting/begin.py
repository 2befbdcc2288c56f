"""A new release: what is wanted, whether something brings it already, and what it does to what runs and waits."""

from dataclasses import dataclass

from delivery.machine.admitting.case import Case
from delivery.machine.advance import BLAMELESS, start_next, tell
from delivery.machine.change import Admission, Change, Move
from delivery.machine.evolve import evolve
from delivery.model.codec import digest
from delivery.model.event import Created, Phase
from delivery.model.frozen import replace
from delivery.model.ids import Principal, ReleaseId
from delivery.model.plan import Plan
from delivery.model.release import Release
from delivery.model.service import OnNewVersion
from delivery.model.signal import SupersededBy
from delivery.model.target import World
from delivery.model.trace import TRACEPARENT
from delivery.model.version import VersionRef


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


def open_release(world: World, identity: str) -> Release | None:
    """A release of this identity that is not over; one that goes back for no fault of its own does not count."""
    ids = (world.target.active, *world.target.queue)
    open_ones = (world.releases[release] for release in ids if release is not None)
    return next((one for one in open_ones if one.candidate.identity == identity and not _leaves_blameless(one)), None)


def _leaves_blameless(release: Release) -> bool:
    return release.phase is Phase.ROLLING_BACK and release.cause is not None and release.cause.kind in BLAMELESS


def begin(case: Case, wish: Wish) -> Admission:
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
        change = change.then(tell(change.world, older, SupersededBy(release), case.context))
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
        origin=_origin(case, wish),
    )
    return Move(None, event, evolve(None, event))


def _origin(case: Case, wish: Wish) -> dict[str, str]:
    """With the trace of the request, which whoever works on the release goes on with."""
    return {**wish.origin, TRACEPARENT: case.notice.trace} if case.notice.trace else wish.origin


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
