"""A decision about a target: a step of one of its releases, and all that follows on the target, as one change.

To close a release, to move the stable pointer and to start the next release is one commit or none.
"""

from collections.abc import Sequence

from delivery.machine import baseline
from delivery.machine.change import Change, Move
from delivery.machine.holds import find
from delivery.machine.step import steps
from delivery.model.context import Context
from delivery.model.event import CauseKind, Phase, StableFound
from delivery.model.frozen import replace
from delivery.model.hold import Hold, HoldKind
from delivery.model.ids import SECOND, Micros, ReleaseId
from delivery.model.place import Mode
from delivery.model.release import Release
from delivery.model.signal import HistoryLost, Signal, StableAgain, TurnCame
from delivery.model.target import Retiring, Target, World
from delivery.model.version import VersionRef

REJECTED_KEPT = 50
DRAIN = Micros(30 * SECOND)
"""What requests under way have to end, between the proof that a version gets no more of them and its being stopped."""
BLAMELESS = frozenset(
    {
        CauseKind.SUPERSEDED,
        CauseKind.STABLE_AGAIN,
        CauseKind.WITHDRAWN,
        CauseKind.CANDIDATE_MISSING,
        CauseKind.STABLE_MISSING,
    }
)
"""Ends that say nothing against the candidate: the same identity may come again by an ordinary event."""


def advance(world: World, signal: Signal, context: Context) -> Change:
    """What a signal to the active release changes. Where none runs, the next that waits starts. Raises Refusal."""
    if world.target.active is None:
        return start_next(Change(world), context)
    return tell(world, world.target.active, signal, context)


def tell(world: World, release: ReleaseId, signal: Signal, context: Context) -> Change:
    """As `advance`, for any release of the world. Raises Refusal, KeyError for a release that it does not have."""
    before = world.releases[release]
    moves = steps(before, signal, context)
    return start_next(taken(world, moves), context, _lost(before, moves))


def _lost(before: Release, moves: Sequence[Move]) -> Hold | None:
    """The hold for lost history that a release ends with: nobody has decided yet what is to become of what was lost,
    and a decision about what waits behind it may be part of that.
    """
    if not moves or not moves[-1].after.phase.closed:
        return None
    return find(moves[-2].after if len(moves) > 1 else before, HoldKind.HISTORY_LOST)


def taken(world: World, moves: Sequence[Move]) -> Change:
    """The world with these moves of one release in it: traffic that is live, an end and what follows from it."""
    if not moves:
        return Change(world)
    release = moves[-1].after
    target = world.target
    for move in moves:
        if isinstance(move.event, StableFound):
            target = _stable_is(target, move.event)
    if release.dseq:
        target = replace(target, last=release.id)
    if release.phase.closed:
        target = _over(target, release)
    return Change(World(target, {**world.releases, release.id: release}), tuple(moves))


def _stable_is(target: Target, event: StableFound) -> Target:
    """What its owners were found to run; it is not to be retired, but for a copy of ours beside it. What was stable
    before runs nowhere any more, and is only to be forgotten.
    """
    found, old = event.stable, target.stable
    kept = tuple(entry for entry in target.retiring if entry.copy or not _same(entry.version, found))
    if old is not None and not _same(old, found):
        kept = (*_unretire(kept, old), Retiring(old, event.at))
    return replace(target, stable=found, retiring=kept)


def start_next(change: Change, context: Context, lost: Hold | None = None) -> Change:
    """Where nothing runs, the next in the queue starts, against the version that is stable now.

    One that meanwhile became stable itself has nothing to do; it is closed and the next one starts. Where history was
    `lost` and nobody has decided since, whatever starts has that hold: it may have been lost more than once.
    """
    while change.world.target.active is None and change.world.target.queue:
        change = _start(change, context, lost)
    return change


def _start(change: Change, context: Context, lost: Hold | None) -> Change:
    target = change.world.target
    first, *rest = target.queue
    release = change.world.releases[first]
    if release.candidate.identity == (target.stable.identity if target.stable else None):
        moves = steps(release, StableAgain(release.actor), context)
        return change.then(taken(change.world, moves))
    kept = tuple(entry for entry in target.retiring if not _used(entry, release, target))
    begun = replace(target, active=first, queue=tuple(rest), retiring=kept, resting=None)
    moves = steps(release, TurnCame(target.stable), context)
    if lost is not None and not moves[-1].after.phase.closed:
        moves = (*moves, *steps(moves[-1].after, HistoryLost(lost.detail, 0), context))
    return change.then(taken(World(begun, change.world.releases), moves))


def _used(entry: Retiring, release: Release, target: Target) -> bool:
    """Whether the release that starts needs what was to be retired; of stable, not our copy beside its owners' own."""
    return _same(entry.version, release.candidate) or (_same(entry.version, target.stable) and not entry.copy)


def _over(target: Target, release: Release) -> Target:
    """The target once the release is closed: it runs and waits no longer."""
    left = replace(
        target,
        active=None if target.active == release.id else target.active,
        queue=tuple(waiting for waiting in target.queue if waiting != release.id),
    )
    if release.plan.mode is Mode.OBSERVE:
        return _observed(left, release)
    if release.plan.mode is not None and release.bound is not None:
        left = replace(left, resting=_rests(release))
    left = _without_copy(left, release)
    return _promoted(left, release) if release.phase is Phase.PROMOTED else _not_promoted(left, release)


def _without_copy(target: Target, release: Release) -> Target:
    """The copy of stable that it was compared with goes with it."""
    copy = baseline.version(release)
    if copy is None:
        return target
    after = Micros(release.at + DRAIN) if release.dseq else release.at
    return replace(target, retiring=(*_unretire(target.retiring, copy), Retiring(copy, after)))


def _observed(target: Target, release: Release) -> Target:
    """What was only looked at leaves nothing to retire, and nothing to keep away: it runs, whatever was found."""
    if release.phase is not Phase.PROMOTED:
        return target
    return replace(target, stable=release.candidate)


def _rests(release: Release) -> Micros:
    """When what was kept from shrinking may shrink: a version that a rollback would go back to stays as it is."""
    waits = release.phase is Phase.PROMOTED and release.plan.home is None
    return Micros(release.at + (release.plan.rollback_window if waits else DRAIN))


def _promoted(target: Target, release: Release) -> Target:
    """The stable pointer moves here, and to what was found where its owners keep it. The old version stays for the
    rollback window; of one that came home only our copy goes, and what it replaced there is forgotten.

    What a rollback replaced counts as rejected: it comes back by `retry`, not by a late event.
    """
    old = release.bound.stable if release.bound else None
    rejected = tuple(one for one in target.rejected if one != release.candidate.identity)
    if release.rolls_back is not None and old is not None:
        rejected = _remember(rejected, old.identity)
    retiring, home = _unretire(target.retiring, release.candidate), release.plan.home is not None
    after = Micros(release.at + (DRAIN if home else release.plan.rollback_window))
    if old is not None:
        retiring = (
            *_unretire(retiring, old),
            Retiring(old, after, kept_for=None if home else (release.id, release.seq)),
        )
    if home:
        retiring = (*retiring, Retiring(release.candidate, after, copy=True))
    return replace(target, stable=release.candidate, rejected=rejected, retiring=retiring)


def _not_promoted(target: Target, release: Release) -> Target:
    """The candidate goes at once. A candidate that was found bad, or that a person turned down, is remembered."""
    if release.bound is not None and not _same(release.candidate, target.stable):
        after = Micros(release.at + DRAIN) if release.plan.mode is not None and release.dseq else release.at
        entry = Retiring(release.candidate, after, copy=release.plan.home is not None or None)
        target = replace(target, retiring=(*_unretire(target.retiring, release.candidate), entry))
    if _blamed(release):
        target = replace(target, rejected=_remember(target.rejected, release.candidate.identity))
    return target


def _blamed(release: Release) -> bool:
    """A version that was stable before is not bad because the way back to it was given up."""
    began = release.phase is not Phase.FAILED_TO_START and release.rolls_back is None
    return began and release.cause is not None and release.cause.kind not in BLAMELESS


def _remember(rejected: tuple[str, ...], identity: str) -> tuple[str, ...]:
    return (*(one for one in rejected if one != identity), identity)[-REJECTED_KEPT:]


def _unretire(retiring: tuple[Retiring, ...], version: VersionRef) -> tuple[Retiring, ...]:
    return tuple(entry for entry in retiring if not _same(entry.version, version))


def _same(one: VersionRef, other: VersionRef | None) -> bool:
    return other is not None and one.identity == other.identity
