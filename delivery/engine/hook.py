"""Performing hooks: one attempt, made or looked after."""

from delivery.engine.fence import Fence
from delivery.engine.task import Done, Task
from delivery.machine.hooks import last
from delivery.model.effect import RunHook
from delivery.model.hook import HookRun, HookSpec, Step, When
from delivery.model.release import Release
from delivery.model.signal import HookAnswered
from delivery.ports.errors import PortError, Refused
from delivery.ports.hooks import HookAnswer, HookCall, words


def run(task: Task, effect: RunHook, fence: Fence) -> Done:
    """Whoever lost the target meanwhile calls nothing: the release may be on its way back."""
    release = task.release
    attempt = last(release, effect.hook, effect.step) if release is not None else None
    if release is None or attempt is None:
        raise ValueError(f"{task.row.target.id}: hook {effect.hook} is to run before it was begun")
    spec = next(spec for spec in release.plan.hooks_at(effect.step) if spec.id == effect.hook)
    if not fence.owns(task.row):
        return Done(lost=True)
    return told(effect, _asked(task, release, spec, attempt))


def told(effect: RunHook, answer: HookAnswer) -> Done:
    """What the machine is told of an attempt, also that nothing is known of it: then its time goes on."""
    detail = words(answer.words) if answer.ok is not None else answer.trouble
    return Done((HookAnswered(effect.hook, effect.step, effect.attempt, answer.ok, detail),), later=True)


def _asked(task: Task, release: Release, spec: HookSpec, attempt: HookRun) -> HookAnswer:
    hooks = task.cluster.hooks.get(spec.kind)
    if hooks is None:
        return HookAnswer(False, f"hooks of kind {spec.kind} are not configured for {task.cluster.name}")
    try:
        return hooks.run(_call(task, release, spec, attempt))
    except Refused as error:
        return HookAnswer(False, str(error))
    except PortError as error:
        return HookAnswer(trouble=words(str(error)))


def _call(task: Task, release: Release, spec: HookSpec, attempt: HookRun) -> HookCall:
    step = attempt.step
    stage = "" if step.stage is None else str(step.stage + 1)
    return HookCall(
        key=f"{release.id}-{spec.id}-{step.when.value}{stage}-{attempt.attempt}",
        target=release.target,
        hook=spec.id,
        begun=attempt.begun,
        timeout=spec.timeout,
        candidate=release.candidate,
        params=spec.params,
        facts=_facts(release, attempt),
        place=task.workload.place if task.workload is not None else None,
    )


def _facts(release: Release, attempt: HookRun) -> dict[str, object]:
    service, _, cluster = release.target.rpartition("@")
    stable, cause = release.bound.stable if release.bound else None, release.cause
    return {
        "hook": attempt.hook,
        "step": attempt.step.when.value,
        "stage": _stage(release, attempt.step),
        "attempt": attempt.attempt,
        "service": service,
        "cluster": cluster,
        "release": {"id": release.id, "number": release.number, "actor": release.actor},
        "version": release.candidate.version,
        "image": release.candidate.image,
        "stable_version": stable.version if stable else None,
        "cause": cause.kind.value if cause is not None and attempt.step.when is When.REVERTED else None,
    }


def _stage(release: Release, step: Step) -> str | None:
    return None if step.stage is None else release.plan.stages[step.stage].name
