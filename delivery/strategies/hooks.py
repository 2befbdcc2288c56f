"""A service's hooks, put to the points of its plan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from delivery.model.hook import HookSpec, Step, When
from delivery.model.ids import HookId
from delivery.model.mistake import Mistake, one_of, unknown
from delivery.model.plan import Stage
from delivery.model.service import Hook, Service

POINTS: Mapping[str, Step] = {one.value: Step(one) for one in (When.START, When.TRAFFIC, When.PROMOTION)}
"""What `before` may name besides stages."""


def mistakes(service: Service, stages: Sequence[Stage]) -> Iterator[Mistake]:
    """Points that are none, and hooks that nothing would run."""
    names = [stage.name for stage in stages]
    named = {hook for stage in stages for hook in stage.hooks}
    for hook in service.hooks:
        place = f"hooks.{hook.id}"
        yield from _unknown(f"{place}.before", hook.before, [*POINTS, *names])
        yield from _unknown(f"{place}.during", hook.during, names)
        if not (hook.before or hook.during or hook.after or hook.id in named):
            expected = "before, during or after, or a strategy that names it, such as blue_green: {smoke: {hook: ...}}"
            yield Mistake(place, None, "is never run", expected)


def _unknown(place: str, said: Sequence[str], known: Sequence[str]) -> Iterator[Mistake]:
    for name in said:
        if name and name not in known:
            yield Mistake(place, None, f"names {name}, which {unknown(name, known)}", one_of(known))


def with_hooks(service: Service, stages: Sequence[Stage]) -> list[Stage]:
    """The stages with what runs while they are live, in the order of the service file."""
    return [replace(stage, hooks=tuple(_during(service, stage))) for stage in stages]


def _during(service: Service, stage: Stage) -> Iterator[HookId]:
    return (hook.id for hook in service.hooks if stage.name in hook.during or hook.id in stage.hooks)


def specs(service: Service, stages: Sequence[Stage]) -> tuple[HookSpec, ...]:
    """The hooks as the plan has them."""
    places = {**POINTS, **{stage.name: Step(When.BEFORE, index) for index, stage in enumerate(stages)}}
    return tuple(_spec(hook, places) for hook in service.hooks)


def _spec(hook: Hook, places: Mapping[str, Step]) -> HookSpec:
    before = (places[name] for name in dict.fromkeys(hook.before))
    after = (Step(when) for when in dict.fromkeys(hook.after))
    steps = (*before, *after)
    return HookSpec(hook.id, hook.kind, hook.params, steps, hook.timeout, hook.retries, hook.on_failure)
