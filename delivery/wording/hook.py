"""Hooks in words: when one runs, what it is, and how it stands."""

from collections.abc import Sequence

from delivery.model.hook import HookRun, HookSpec, HookState, OnFailure, Step, When
from delivery.model.plan import Plan, Stage
from delivery.model.release import Release
from delivery.wording.traffic import place
from delivery.wording.units import duration, listed, moment

_POINTS = {
    When.START: "before anything of the candidate is started",
    When.TRAFFIC: "before the candidate's first traffic",
    When.PROMOTION: "before everybody gets the candidate",
    When.PROMOTED: "now that everybody has the candidate",
    When.REVERTED: "now that everybody is back on stable",
}
_PLANNED = {
    **_POINTS,
    When.PROMOTED: "once everybody has the candidate",
    When.REVERTED: "once everybody is back on stable",
}


def point(step: Step, stages: tuple[Stage, ...]) -> str:
    """When it runs, as a clause of what happens."""
    return _stage(step, stages) or _POINTS[step.when]


def _stage(step: Step, stages: tuple[Stage, ...]) -> str:
    if step.stage is None:
        return ""
    return f"{'before' if step.when is When.BEFORE else 'during'} {place(step.stage, stages)}"


def attempt(number: int) -> str:
    """The number of an attempt, where it is not the first."""
    return "" if number == 1 else f" (attempt {number})"


def what(spec: HookSpec) -> str:
    """`hook migrate (Job checkout-migrate)`."""
    params = spec.params
    told = f"Job of {params['template']}" if "template" in params else f"{params.get('host')}{params.get('path', '')}"
    return f"hook {spec.id} ({told})"


def describe(spec: HookSpec, plan: Plan) -> str:
    """All that is to be known of it before anything happens."""
    stages = plan.stages
    steps = [*spec.steps, *(Step(When.DURING, at) for at, stage in enumerate(stages) if spec.id in stage.hooks)]
    points = listed([_stage(step, stages) or _PLANNED[step.when] for step in steps])
    tries = "" if not spec.retries else f", {spec.retries + 1} attempts"
    return f"{what(spec)}: {points}; at most {duration(spec.timeout)}{tries}; {_failure(spec, steps)}"


def _failure(spec: HookSpec, steps: Sequence[Step]) -> str:
    if all(step.when.after for step in steps):
        return "a failure is told"
    return "a failure takes the release back" if spec.on_failure is OnFailure.REVERT else "a failure asks people"


def standing(release: Release) -> tuple[str, ...]:
    """Sentences about the hooks that are waited for now."""
    return tuple(_stands(run, release) for run in release.hooks if run.state in (HookState.RUNNING, HookState.AGAIN))


def _stands(run: HookRun, release: Release) -> str:
    spec = next(spec for spec in release.plan.hooks_at(run.step) if spec.id == run.hook)
    name = f"{what(spec)} is called {point(run.step, release.plan.stages)}"
    if run.state is HookState.AGAIN:
        return f"{name}; attempt {run.attempt} of {spec.retries + 1} failed: {run.detail}"
    begun, end = moment(run.begun), moment(type(run.begun)(run.begun + spec.timeout))
    tries = f", attempt {run.attempt} of {spec.retries + 1}" if spec.retries else ""
    return f"{name}: it runs since {begun}{tries}, and has until {end}"
