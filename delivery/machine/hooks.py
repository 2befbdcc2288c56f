"""What is known of a release's hooks: which have done what they were to do, and which are still waited for."""

from delivery.model.event import HookBegun, HookEnded
from delivery.model.frozen import replace
from delivery.model.hook import HookRun, HookSpec, HookState, Step
from delivery.model.ids import HookId
from delivery.model.release import Release

UNDER_WAY = (HookState.RUNNING, HookState.AGAIN)


def last(release: Release, hook: HookId, step: Step) -> HookRun | None:
    """The newest attempt of a hook at a point."""
    return next((run for run in release.hooks if (run.hook, run.step) == (hook, step)), None)


def outstanding(release: Release, step: Step) -> HookSpec | None:
    """The first hook of a point that is still to be waited for. What comes after everything is waited for once."""
    return next((spec for spec in release.plan.hooks_at(step) if not _done(release, spec.id, step)), None)


def _done(release: Release, hook: HookId, step: Step) -> bool:
    run = last(release, hook, step)
    if run is None or run.state in UNDER_WAY:
        return False
    return step.when.after or run.state is not HookState.FAILED


def with_begun(release: Release, event: HookBegun) -> tuple[HookRun, ...]:
    others = tuple(run for run in release.hooks if (run.hook, run.step) != (event.hook, event.step))
    return (*others, HookRun(event.hook, event.step, event.attempt, event.at))


def with_ended(release: Release, event: HookEnded) -> tuple[HookRun, ...]:
    state = HookState.PASSED if event.ok else HookState.AGAIN if event.again else HookState.FAILED
    return tuple(
        replace(run, state=state, ended=event.at, detail=event.detail)
        if (run.hook, run.step, run.attempt) == (event.hook, event.step, event.attempt)
        else run
        for run in release.hooks
    )


def with_waived(release: Release) -> tuple[HookRun, ...]:
    """A person goes on without those that failed."""
    return tuple(
        replace(run, state=HookState.WAIVED) if run.state is HookState.FAILED else run for run in release.hooks
    )


def with_left(release: Release, stage: int | None = None) -> tuple[HookRun, ...]:
    """Nobody waits for those that are under way any more: all of them, or a stage's own."""
    return tuple(
        replace(run, state=HookState.LEFT)
        if run.state in UNDER_WAY and (stage is None or run.step.stage == stage)
        else run
        for run in release.hooks
    )
