"""Looks at what is called, and that nothing rises before it has really ended well."""

from typing import TYPE_CHECKING

from delivery.model.event import Event, HoldLifted, HookEnded, Phase, PromotionBegun, StageEntered, StageSkipped
from delivery.model.hold import HoldKind
from delivery.model.hook import HookState, Step, When
from delivery.model.ids import HookId, TargetId
from delivery.model.release import Release
from delivery.ports.hooks import HookCall
from tests.simulation.scheduler import Actor
from tests.simulation.watch.ghost import Broken, Ghost

if TYPE_CHECKING:
    from tests.simulation.world import World


class Hooks:
    """`begun` counts the attempts that were made."""

    def __init__(self, ghost: Ghost, world: "World", broken: Broken) -> None:
        self._ghost, self._world, self._broken = ghost, world, broken
        self._checked: dict[Actor | None, Release | None] = {}
        self.begun = 0

    def checked(self, target: TargetId) -> None:
        """Whoever runs now was told that it holds this target: what it decides by is what is stored now."""
        row = self._ghost.rows.get(target)
        active = row.target.active if row is not None else None
        self._checked[self._world.scheduler.current()] = self._ghost.releases.get(active) if active else None

    def begins(self, call: HookCall) -> None:
        """An attempt is made for the first time: that was decided, stored and looked up; on the way back none is but
        what comes after it.
        """
        self.begun += 1
        release = self._checked.get(self._world.scheduler.current())
        if release is None or release.target != call.target:
            self._broken.say("hook", f"{call.key} is called, and nobody asked who holds {call.target}")
            return
        running = [run for run in release.hooks if run.state is HookState.RUNNING]
        if call.key not in [key(release, run.hook, run.step, run.attempt) for run in running]:
            self._broken.say("hook", f"{call.key} is called before that is stored")
        if release.phase is Phase.ROLLING_BACK and call.facts["step"] != When.REVERTED.value:
            self._broken.say("hook", f"{call.key} is called while {release.id} goes back")

    def raised(self, release: Release, fact: Event) -> None:
        """5: what comes first has ended well, in truth and not only on record, or a person went on without it."""
        if release.rolls_back is not None or not isinstance(fact, StageEntered | PromotionBegun):
            return
        if release.phase not in (Phase.PREPARING, Phase.BAKING):
            return
        if isinstance(fact, StageEntered) and fact.stage == release.stage:
            return  # anew, after lost history
        events = self._ghost.events[release.id]
        for step in self._before(release, fact, events):
            for spec in release.plan.hooks_at(step):
                if not self._done(release, spec.id, step, events):
                    self._broken.say(5, f"{release.id} goes on before {spec.id} at {step} has ended well")

    def _before(self, release: Release, fact: StageEntered | PromotionBegun, events: list[Event]) -> list[Step]:
        steps = [Step(When.START), Step(When.TRAFFIC)]
        skipped = any(isinstance(event, StageSkipped) for event in events)
        if release.phase is Phase.BAKING and not skipped:
            steps.append(Step(When.DURING, release.stage))
        steps.append(Step(When.BEFORE, fact.stage) if isinstance(fact, StageEntered) else Step(When.PROMOTION))
        return steps

    def _done(self, release: Release, hook: HookId, step: Step, events: list[Event]) -> bool:
        if any(isinstance(event, HoldLifted) and event.kind is HoldKind.HOOK and event.by for event in events):
            return True
        hooks = self._world.hooks[release.target.partition("@")[2]]
        return any(
            event.ok and hooks.passed(key(release, hook, step, event.attempt))
            for event in events
            if isinstance(event, HookEnded) and (event.hook, event.step) == (hook, step)
        )


def key(release: Release, hook: HookId, step: Step, attempt: int) -> str:
    """What an attempt is called."""
    stage = "" if step.stage is None else str(step.stage + 1)
    return f"{release.id}-{hook}-{step.when.value}{stage}-{attempt}"
