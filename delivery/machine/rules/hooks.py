"""Hooks: when one is called, what its answer means, and what follows when it has failed for good."""

from delivery.machine import calling
from delivery.machine.holds import placed
from delivery.machine.hooks import last
from delivery.machine.rules.common import NOTHING, Events, moment, revert
from delivery.model.context import Context
from delivery.model.event import Cause, CauseKind, HookBegun, HookEnded, Phase
from delivery.model.hold import HoldKind
from delivery.model.hook import HookRun, HookSpec, HookState, OnFailure, Step
from delivery.model.ids import SECOND, HookId, Micros
from delivery.model.release import Release
from delivery.model.signal import HookAnswered

BREATH = Micros(10 * SECOND)
"""Between the end of an attempt and the next one."""
LATE = "it had not ended when its time was over"


def call(release: Release, context: Context) -> Events:
    """The next attempt of the hook that the next step waits for.

    Nothing begins while the release is held, as nothing else goes on then; what runs already is not stopped by it.
    """
    found = calling.owed(release)
    if found is None:
        return NOTHING
    (spec, step), at = found, moment(release, context)
    run = last(release, spec.id, step)
    rests = run is not None and (run.state is not HookState.AGAIN or at - (run.ended or at) < BREATH)
    if rests or (release.holds and not step.when.after):
        return NOTHING
    return (HookBegun(at=at, hook=spec.id, step=step, attempt=run.attempt + 1 if run is not None else 1),)


def answered(release: Release, signal: HookAnswered, context: Context) -> Events:
    """An attempt has ended, or has not although its time is over. That is said by an answer, never by the clock alone:
    we may have been away, and it may have ended meanwhile. What nobody waits for any more says nothing, nor an answer
    that came before.
    """
    run = last(release, signal.hook, signal.step)
    if run is None or run.attempt != signal.attempt or run.state is not HookState.RUNNING:
        return NOTHING
    spec, at = _spec(release, signal.hook, signal.step), moment(release, context)
    if signal.ok is None:
        late = at - run.begun >= spec.timeout
        return _ended(release, spec, run, at, signal.detail or LATE) if late else NOTHING
    if not signal.ok:
        return _ended(release, spec, run, at, signal.detail)
    return (HookEnded(at=at, hook=run.hook, step=run.step, attempt=run.attempt, ok=True, detail=signal.detail),)


def _spec(release: Release, hook: HookId, step: Step) -> HookSpec:
    return next(spec for spec in release.plan.hooks_at(step) if spec.id == hook)


def _ended(release: Release, spec: HookSpec, run: HookRun, at: Micros, detail: str) -> Events:
    """Without success. What follows once no attempt is left is up to the plan; after everything, nothing does."""
    again = run.attempt <= spec.retries
    fact = HookEnded(at=at, hook=run.hook, step=run.step, attempt=run.attempt, ok=False, detail=detail, again=again)
    if again or run.step.when.after:
        return (fact,)
    why = f"{spec.id}: {detail}" if detail else spec.id
    if spec.on_failure is OnFailure.ASK:
        return (fact, placed(HoldKind.HOOK, at, why))
    then = Phase.FAILED_TO_START if release.phase is Phase.PREPARING else None
    return (fact, *revert(release, at, Cause(CauseKind.HOOK_FAILED, reason=why), then))
