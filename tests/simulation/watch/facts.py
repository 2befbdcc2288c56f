"""Looks at each event as it is committed: whether it may stand there."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from delivery.machine import path
from delivery.model.event import (
    Approved,
    Closed,
    Event,
    Level,
    Phase,
    PromotionBegun,
    Rejected,
    RollbackBegun,
    StageEntered,
    StagePassed,
    TrafficConfirmed,
    VerdictChanged,
)
from delivery.model.ids import ReleaseId
from delivery.model.release import Release
from delivery.model.verdict import Verdict
from delivery.ports.rows import Unit
from tests.simulation.watch.copies import Copies
from tests.simulation.watch.ghost import Broken, Ghost
from tests.simulation.watch.hooks import Hooks

if TYPE_CHECKING:
    from tests.simulation.world import World

CAP = 2
"""Intervals that a tick counts for at most."""
BACK = ("aborted",)
"""What a delivery is answered with that took a release back."""


class Facts:
    def __init__(self, ghost: Ghost, world: "World", broken: Broken, hooks: Hooks, copies: Copies) -> None:
        self._ghost, self._world, self._broken = ghost, world, broken
        self._hooks, self._copies = hooks, copies

    def saw(self, before: Release | None, fact: Event, after: Release) -> None:
        """One event between two states of its release."""
        if before is None:
            return
        if before.phase.closed:
            self._broken.say(3, f"{after.id} went on after its end: {type(fact).__name__}")
        if fact.at < before.at:
            self._broken.say(3, f"{after.id}: time goes back at event {after.seq}")
        match fact:
            case StageEntered() | PromotionBegun():
                self._raised(before, fact)
                self._hooks.raised(before, fact)
            case TrafficConfirmed():
                self._confirmed(before, fact)
            case StagePassed():
                self._passed(before, fact)
                self._copies.passed(before, fact)
            case Closed():
                self._over(before)

    def together(self, unit: Unit, facts: Mapping[ReleaseId, list[Event]]) -> None:
        """7: a failed verdict and an acknowledged abort are stored with the way back."""
        for release, events in facts.items():
            failed = [
                fact for fact in events if isinstance(fact, VerdictChanged) and fact.judgement.verdict is Verdict.FAIL
            ]
            if any(fact.judgement.blocking for fact in failed) and not _goes_back(events):
                self._broken.say(7, f"{release}: a gate failed and it does not go back")
        for row in unit.inbox:
            if row.reason in BACK and not any(_goes_back(events) for events in facts.values()):
                self._broken.say(7, f"{row.key} was told {row.reason!r}, and nothing goes back")

    def _raised(self, before: Release, fact: StageEntered | PromotionBegun) -> None:
        name = f"{before.id} at event {before.seq + 1}"
        if before.phase is Phase.ROLLING_BACK or before.phase.closed:
            self._broken.say(6, f"{name} rises from {before.phase}")
        if before.holds:
            self._broken.say(5, f"{name} rises although it is held by {[hold.kind.value for hold in before.holds]}")
        again = isinstance(fact, StageEntered) and fact.stage == before.stage
        stage = fact.stage if isinstance(fact, StageEntered) else len(before.plan.stages)
        guard = path.guard(before, stage)
        if guard is not None and not again and before.phase is not Phase.PROMOTING:
            self._agreed(before, stage, guard.approval.count)

    def _agreed(self, before: Release, stage: int, count: int) -> None:
        """12: enough distinct people, none of them the initiator, and all for what was live."""
        facts = self._ghost.events[before.id]
        votes = [
            fact for fact in facts if isinstance(fact, Approved) and (fact.stage, fact.dseq) == (stage, before.dseq)
        ]
        people = {vote.actor for vote in votes} - {before.actor}
        if len(people) < count or len(people) < len(votes) or any(isinstance(fact, Rejected) for fact in facts):
            self._broken.say(12, f"{before.id} enters stage {stage} with {sorted(people)} of {count}")

    def _confirmed(self, before: Release, fact: TrafficConfirmed) -> None:
        """11: a traffic counts as live only once every proxy ran it, as written for the history that there is."""
        if fact.level is Level.WRITTEN:
            return
        stamps = self._world.mesh_of(before.target).proven.get((before.target, before.id, fact.dseq), ())
        heads = self._ghost.heads.get(before.id, [])
        if not stamps or any(one.seq > len(heads) or heads[one.seq - 1] != one.head for one in stamps):
            self._broken.say(11, f"{before.id}: {fact.dseq} is confirmed, and not every proxy ever ran it")

    def _over(self, before: Release) -> None:
        """7: a release that is not promoted leaves nothing of its candidate at home, as far as that is our doing."""
        own = self._world.workloads[before.target.partition("@")[2]].homes.get(before.target)
        if own is not None and own.ours and own.version == before.candidate and not self._ghost.lossy:
            self._broken.say("home", f"{before.id} is over, and {own.version.version} runs at home")

    def _passed(self, before: Release, fact: StagePassed) -> None:
        """11: a bake is measured time, in ticks that count for two intervals at most."""
        stage, tick = before.plan.stages[before.stage], before.plan.tick
        ticks = fact.last_tick - fact.first_tick + 1
        if fact.stage != before.passed + 1 or fact.stage != before.stage:
            self._broken.say(4, f"{before.id} passes stage {fact.stage} after {before.passed} in {before.stage}")
        if fact.why == "baked" and ticks * CAP * tick < stage.bake:
            self._broken.say(11, f"{before.id}: stage {fact.stage} passed a bake of {stage.bake} us by {ticks} ticks")
        if fact.why == "passed" and any(one.verdict is not Verdict.PASS for one in before.verdicts.values()):
            self._broken.say(11, f"{before.id}: stage {fact.stage} passed early without a pass of every gate")


def _goes_back(events: list[Event]) -> bool:
    return any(isinstance(event, RollbackBegun | Closed) for event in events)
