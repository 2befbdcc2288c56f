"""What must hold after every event of every release, checked from outside: nothing here asks the rules."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from delivery.machine.change import Move
from delivery.machine.desired import desired
from delivery.machine.evolve import evolve
from delivery.machine.holds import HOLDS, Lifts
from delivery.machine.wake import wake
from delivery.model.codec import GENESIS, canon, from_plain, link, seal
from delivery.model.context import Context
from delivery.model.event import (
    Approved,
    BaselineLost,
    Closed,
    Event,
    HoldLifted,
    HoldPlaced,
    HomeBegun,
    HomeEntered,
    HookBegun,
    HookEnded,
    Phase,
    Promoted,
    PromotionBegun,
    RollbackBegun,
    StableFound,
    StageEntered,
    StagePassed,
    StageSkipped,
)
from delivery.model.hold import HoldKind
from delivery.model.hook import HookSpec, Step, When
from delivery.model.ids import HookId, ReleaseId
from delivery.model.plan import Approval, Then
from delivery.model.release import Home, Release
from delivery.model.target import Target, World
from delivery.model.traffic import raises
from delivery.model.version import VersionRef

MOVES_DSEQ = (StageEntered, PromotionBegun, HomeEntered, RollbackBegun)
BLIND_HOLDS = {HoldKind.NO_DATA, HoldKind.DRIFT_STORM, HoldKind.SPLIT_MISMATCH, HoldKind.HISTORY_LOST}


@dataclass
class Witness:
    """Follows releases by their stored bytes alone and complains of what must not be."""

    folded: dict[ReleaseId, Release] = field(default_factory=dict)
    heads: dict[ReleaseId, str] = field(default_factory=dict)
    reverted: set[ReleaseId] = field(default_factory=set)
    passed: dict[ReleaseId, list[int]] = field(default_factory=dict)
    called: dict[ReleaseId, dict[tuple[HookId, Step], bool]] = field(default_factory=dict)

    def see(self, moves: Sequence[Move], context: Context) -> None:
        for move in moves:
            self._stored(move)
            self._ordered(move)
            self._dseq(move)
            self._exposure(move)
            self._copy(move)
            self._stages(move)
            self._raise(move)
            self._home(move)
            self._hooks(move)
        for release in {move.after.id: move.after for move in moves}.values():
            if not release.phase.closed and release.phase is not Phase.QUEUED:
                assert wake(release, context).at is not None, "an open release waits for nothing"

    def _stored(self, move: Move) -> None:
        """State is the fold of stored bytes, and the chain over them holds."""
        before = self.folded.get(move.after.id)
        assert (move.before is None) == (before is None)
        prev = self.heads.get(move.after.id, GENESIS)
        stored = seal(move.after.id, move.after.seq, prev, move.event, "salt")
        assert stored.hash == link(prev, stored.body)
        after = evolve(before, stored.event)
        assert canon(after) == canon(move.after)
        assert after.seq == (before.seq + 1 if before else 1)
        self.folded[after.id], self.heads[after.id] = after, stored.hash

    def _ordered(self, move: Move) -> None:
        if move.before is None:
            return
        assert not move.before.phase.closed, "a closed release changed"
        assert move.event.at >= move.before.at, "time went back"
        assert move.after.at == move.event.at

    def _dseq(self, move: Move) -> None:
        if isinstance(move.event, MOVES_DSEQ):
            assert move.after.dseq == move.after.seq
        elif move.before is not None:
            lost = isinstance(move.event, BaselineLost) and move.event.had_share
            assert lost == (isinstance(move.event, BaselineLost) and bool(move.before.compared))
            assert move.after.dseq == (move.after.seq if lost else move.before.dseq)
        assert move.after.confirmed <= move.after.dseq

    def _exposure(self, move: Move) -> None:
        """Never above what passed or was skipped stages authorise; never rising after a revert began."""
        after = move.after
        if after.phase in (Phase.SHIFTING, Phase.BAKING):
            assert after.passed >= after.stage - 1
        if after.phase in (Phase.PROMOTING, Phase.PROMOTED):
            first = after.bound is not None and after.bound.stable is None
            assert first or after.passed == len(after.plan.stages) - 1
        if after.id in self.reverted and move.before is not None:
            assert not raises(desired(move.before), desired(after)), "it rose after a revert"
        if move.before is not None and raises(desired(move.before), desired(after)):
            assert isinstance(move.event, StageEntered | PromotionBegun), f"{move.event} raised"
        if isinstance(move.event, RollbackBegun):
            self.reverted.add(after.id)

    def _copy(self, move: Move) -> None:
        """A copy of stable gets requests only where it is known to carry them, and none on the way back. A stage that
        is meant to be compared with it goes without it only where a person said so.
        """
        before, after = move.before, move.after
        if after.phase is Phase.QUEUED or after.bound is None:
            return
        percent = desired(after).baseline
        if percent is not None:
            assert after.bound.stable is not None
            assert percent <= (after.baseline or 0)
            assert after.phase in (Phase.SHIFTING, Phase.BAKING) or after.stay
        if isinstance(move.event, StageEntered) and before is not None and before.bound is not None:
            wanted = before.plan.stages[move.event.stage].traffic.baseline
            alone = (
                HoldKind.BASELINE_UNREADY in before.waived or before.bound.stable is None or before.ceiling is not None
            )
            assert wanted is None or alone or move.event.compared

    def _stages(self, move: Move) -> None:
        if isinstance(move.event, StagePassed | StageSkipped):
            done = self.passed.setdefault(move.after.id, [])
            assert move.event.stage == len(done), "stages pass once and in order"
            done.append(move.event.stage)
        if isinstance(move.event, StagePassed):
            assert move.before is not None
            assert move.before.phase is Phase.BAKING
            assert move.before.confirmed == move.before.dseq
            assert not {hold.kind for hold in move.before.holds} & (BLIND_HOLDS - set(move.before.waived))

    def _raise(self, move: Move) -> None:
        """A way up needs no hold, a ready candidate, and the people it was to ask."""
        if not isinstance(move.event, StageEntered | PromotionBegun):
            return
        before = move.before
        assert before is not None
        assert before.ready
        assert before.holds == ()
        assert _carries(before, move.event) or before.phase is Phase.PROMOTING
        if isinstance(move.event, StageEntered) and before.stage == move.event.stage:
            return  # entered anew after lost history
        wanted = _wanted(before, move.event)
        if wanted is None or before.phase is Phase.PROMOTING:
            return
        guarded = move.event.stage if isinstance(move.event, StageEntered) else len(before.plan.stages)
        votes = before.approvals.get((guarded, before.dseq), ())
        assert len(set(votes)) == len(votes) >= wanted.count
        assert before.actor not in votes

    def _home(self, move: Move) -> None:
        """Home goes over only once the copy has every request, and no release ends while home is neither nor."""
        before = move.before
        if before is None:
            return
        proven = before.phase is Phase.PROMOTING and before.confirmed == before.dseq and before.ceiling is None
        if isinstance(move.event, HomeBegun):
            assert proven
            assert before.plan.home is not None
            assert before.home is None
        if isinstance(move.event, HomeEntered):
            assert before.home is Home.ENTERED or (proven and before.home is Home.BEGUN)
        if isinstance(move.event, Promoted) and before.plan.home is not None:
            assert proven
            assert before.home is Home.ENTERED
        if isinstance(move.event, Closed) and before.bound is not None and before.bound.stable is not None:
            assert before.home is None, "it ends while its owners' workload may run the candidate"

    def _hooks(self, move: Move) -> None:
        """Nothing rises before the hooks that come first have said yes, or a person went on without them. On the way
        back none is called but those that come after it, once it is proven; each attempt begins and ends once.
        """
        event, before, called = move.event, move.before, self.called.setdefault(move.after.id, {})
        if isinstance(event, HookBegun):
            assert before is not None
            assert event.step.when.after or before.holds == ()
            assert (event.step.when is When.REVERTED) == (before.phase is Phase.ROLLING_BACK)
            assert not event.step.when.after or before.confirmed == before.dseq
            assert not called.get((event.hook, event.step)), "it is called again after its success"
            called[event.hook, event.step] = False
        if isinstance(event, HookEnded):
            assert not called[event.hook, event.step]
            called[event.hook, event.step] = event.ok
        if isinstance(event, HoldLifted) and event.kind is HoldKind.HOOK:
            assert event.by is not None
            called.update(dict.fromkeys(called, True))
        if isinstance(event, StageEntered | PromotionBegun) and before is not None:
            missing = [spec.id for spec, step in _first(before, event) if not called.get((spec.id, step))]
            assert missing == [], f"{event} did not wait for {missing}"


def _first(release: Release, event: StageEntered | PromotionBegun) -> list[tuple[HookSpec, Step]]:
    """The hooks that come before this raise."""
    if release.rolls_back is not None or release.phase in (Phase.SHIFTING, Phase.PROMOTING):
        return []
    again = isinstance(event, StageEntered) and event.stage == release.stage
    if again:
        return []
    steps = [Step(When.START), Step(When.TRAFFIC)]
    if release.stage >= 0 and release.cause is None:  # a person who promotes skips those of the stage
        steps.append(Step(When.DURING, release.stage))
    steps.append(Step(When.BEFORE, event.stage) if isinstance(event, StageEntered) else Step(When.PROMOTION))
    return [(spec, step) for step in steps for spec in release.plan.hooks_at(step)]


def _carries(release: Release, event: StageEntered | PromotionBegun) -> bool:
    """Whether the candidate is known to carry what it gets."""
    if release.plan.mode is None:
        return True
    if isinstance(event, PromotionBegun):
        return release.share == 100
    traffic = release.plan.stages[event.stage].traffic
    return (release.share or 0) >= max(traffic.weight, 100 * bool(traffic.rules), getattr(traffic.mirror, "percent", 0))


def _wanted(release: Release, event: Event) -> Approval | None:
    if release.rolls_back is not None or release.bound is None or release.bound.stable is None:
        return None
    if isinstance(event, StageEntered):
        return release.plan.stages[event.stage].approval
    return release.plan.promotion or (Approval() if release.plan.then is Then.ASK else None)


def check_world(before: World, after: World, moves: Sequence[Move]) -> None:
    """The target's share: one release runs, only the newest waits, the pointer moves on Promoted alone."""
    target = after.target
    active = after.active
    if active is None:
        assert target.queue == (), "a release waits for nothing"
    else:
        assert not active.phase.closed
        assert active.phase is not Phase.QUEUED
    assert len(target.queue) <= 1
    assert all(after.releases[waiting].phase is Phase.QUEUED for waiting in target.queue)
    moved = [_stable_after(move) for move in moves if isinstance(move.event, Promoted | StableFound)]
    assert target.stable == (moved[-1] if moved else before.target.stable)
    in_use = {active.candidate.identity} if active else set()
    in_use |= {target.stable.identity} if target.stable else set()
    gone = {entry.version.identity for entry in target.retiring if not entry.copy}
    gone |= {entry.version.identity for entry in target.retiring if active and entry.version == active.candidate}
    assert not in_use & gone, "what is used is to be retired"
    assert _read_back(target) == target
    for release in {move.after.id: move.after for move in moves}.values():
        assert _read_back(release) == release
    for release in after.releases.values():
        overlapping = release.id != target.active and not release.phase.closed and release.phase is not Phase.QUEUED
        assert not overlapping, "two releases run"


def _stable_after(move: Move) -> VersionRef | None:
    return move.event.stable if isinstance(move.event, StableFound) else move.after.candidate


def _read_back(value: Release | Target) -> Release | Target:
    """What the stored form is decoded to: ledgers may hand out what was written instead of decoding it."""
    return from_plain(type(value), json.loads(canon(value)))


def _agreed(before: Release, event: HoldLifted) -> None:
    """Who lifted it alone might, or enough people agreed, each still at his word, none of them the initiator."""
    override, hold = before.plan.override, next(hold for hold in before.holds if hold.kind is event.kind)
    free = before.bound is not None and (before.bound.stable is None or before.rolls_back is not None)
    rises = before.phase in (Phase.QUEUED, Phase.PREPARING, Phase.SHIFTING, Phase.BAKING)
    alone = free or not rises or hold.by == event.by or HOLDS[event.kind].lifts is Lifts.ADMIN
    if override is None or alone:
        return
    words = [word for word in before.overrides or () if word.kind is event.kind]
    valid = {word.actor for word in words if word.until is None or word.until > event.at}
    assert len(valid) >= override.count
    assert before.actor not in valid


def holds_are_sane(moves: Sequence[Move]) -> None:
    """A hold is lifted only where it was (or was waived and its condition ended), and there is one of a kind."""
    for move in moves:
        if isinstance(move.event, HoldLifted):
            assert move.before is not None
            waiver_ends = move.event.by is None and move.event.kind in move.before.waived
            assert move.before.held(move.event.kind) or waiver_ends
            if move.event.by is not None:
                _agreed(move.before, move.event)
        if isinstance(move.event, HoldPlaced):
            kinds = [hold.kind for hold in move.after.holds]
            assert len(kinds) == len(set(kinds))
        if isinstance(move.event, Approved):
            assert move.before is not None
            assert move.before.phase in (Phase.PREPARING, Phase.SHIFTING, Phase.BAKING)
