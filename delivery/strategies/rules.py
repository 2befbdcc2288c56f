"""What makes no plan: chains that lower or do not rise, gates that nobody knows, and stages that nothing can judge."""

from collections.abc import Iterator, Sequence

from delivery.model.mistake import Mistake, one_of, unknown
from delivery.model.place import Mode
from delivery.model.plan import Approval, Stage, Then
from delivery.model.scalars import show_duration
from delivery.model.service import Service, Strategy
from delivery.model.traffic import Traffic, raises
from delivery.model.verdict import Baseline
from delivery.strategies import fresh
from delivery.strategies.ab_test import AbTest


def check(
    place: str, strategy: Strategy, before: Traffic, added: tuple[Stage, ...], service: Service
) -> Iterator[Mistake]:
    """The mistakes of one strategy of a chain. `before` is what the one before ended with, `added` its own stages."""
    yield from _gates(place, strategy, added, service)
    yield from _smoke(place, added, service)
    for stage in added:
        yield from _rise(place, before, stage)
        yield from _times(place, stage, service)
        yield from _mute(place, stage, service)
        yield from fresh.unjudged(place, stage, service)
        yield from _limited(place, stage)
        before = stage.traffic


def chained(place: str, strategy: Strategy, added: tuple[Stage, ...], promotion: Approval | None) -> Iterator[Mistake]:
    """The mistakes of a strategy that others follow."""
    if strategy.then in (Then.PROMOTE, Then.WITHDRAW):
        problem = f"is {strategy.then}, and the next strategy follows it"
        yield Mistake(f"{place}.then", None, problem, "nothing here, or this strategy to be the last one")
    if any(stage.traffic.weight == 100 for stage in added):
        yield Mistake(place, None, "gives the candidate 100%", "only the last strategy to do that")
    if promotion is not None:
        problem = "guards the raise to 100%, which only the last strategy leads to"
        yield Mistake(f"{place}.approval", None, problem, "before: begin here, or an approval of the last strategy")


def unused(service: Service, stages: Sequence[Stage], promotion: Approval | None) -> Iterator[Mistake]:
    """What the policy says about approvals where nobody is asked; gates that compare with stable as it was before,
    where no stage is without stable beside the candidate, or with a copy of it, where none has one.
    """
    if service.policy.approval and promotion is None and not any(stage.approval for stage in stages):
        problem = "says whom approvals ask, and no strategy asks anybody"
        yield Mistake("policy.approval", None, problem, "approval: {before: begin} or the like in a strategy")
    yield from fresh.unused(service, () if observed(service) else stages)
    full = {gate for stage in stages if stage.traffic.weight == 100 for gate in stage.gates}
    for gate in service.gates:
        if gate.baseline is Baseline.PREVIOUS and gate.id not in full and not observed(service):
            problem = "is previous, for stages at 100%, and no such stage is judged by it"
            yield Mistake(f"gates.{gate.id}.baseline", None, problem, "stable, which is beside the candidate")


def observed(service: Service) -> bool:
    """Whether somebody else rolls out, so that there is never a stable beside the candidate."""
    place = service.workload.place
    return place is not None and place.mode is Mode.OBSERVE


def _rise(place: str, before: Traffic, stage: Stage) -> Iterator[Mistake]:
    after = stage.traffic
    expected = "each stage to give the candidate more than the one before: a plan never lowers"
    if after.mirror is not None and before.exposes:
        problem = "mirrors, but a strategy before it has given the candidate users already"
        yield Mistake(place, None, problem, "dark_launch to come first: a mirror needs a route that only stable serves")
    elif after.weight < before.weight:
        yield Mistake(place, None, f"would lower the candidate from {before.weight}% to {after.weight}%", expected)
    elif not raises(before, after):
        yield Mistake(place, None, f"has a stage that raises nothing: {stage.name}", expected)
    elif after.sticky and before.sticky and after.sticky.cookie != before.sticky.cookie:
        problem = f"changes the cookie from {before.sticky.cookie} to {after.sticky.cookie}"
        yield Mistake(
            f"{place}.sticky", None, problem, "one cookie for the whole chain, so that users stay where they are"
        )


def _times(place: str, stage: Stage, service: Service) -> Iterator[Mistake]:
    bake, deadline = show_duration(stage.bake), show_duration(stage.deadline)
    if 0 < stage.bake < service.tick:
        expected = f"at least one tick ({show_duration(service.tick)}): nothing would be measured"
        yield Mistake(f"{place}.bake", None, f"is {bake}", expected)
    if stage.deadline <= stage.bake:
        yield Mistake(f"{place}.deadline", None, f"is {deadline}", f"longer than the bake ({bake})")


def _gates(place: str, strategy: Strategy, added: tuple[Stage, ...], service: Service) -> Iterator[Mistake]:
    known = {gate.id: gate for gate in service.gates}
    report = strategy.report if isinstance(strategy, AbTest) else ()
    for gate in dict.fromkeys(gate for stage in added for gate in stage.gates):
        key = "report" if gate in report else "gates"
        if gate not in known:
            yield Mistake(f"{place}.{key}", None, f"names {gate}, which {unknown(gate, known)}", one_of(known))
        elif key == "report" and known[gate].blocking:
            problem = f"names {gate}, which can stop a release"
            yield Mistake(f"{place}.{key}", None, problem, "a gate with blocking: false, or to find it under gates")


def _smoke(place: str, added: tuple[Stage, ...], service: Service) -> Iterator[Mistake]:
    known = [hook.id for hook in service.hooks]
    for hook in (hook for stage in added for hook in stage.hooks if hook not in known):
        expected = one_of(known) if known else f"a section hooks that has {hook}"
        yield Mistake(f"{place}.smoke.hook", None, f"names {hook}, which {unknown(hook, known)}", expected)


def _mute(place: str, stage: Stage, service: Service) -> Iterator[Mistake]:
    """With everything on the candidate there is no stable to compare with: a ratio says nothing there, for ever."""
    blocking = [gate for gate in service.gates if gate.blocking and gate.id in stage.gates]
    if stage.traffic.weight < 100 or not blocking or any(gate.at_full for gate in blocking):
        return
    names = ", ".join(gate.id for gate in blocking)
    problem = f"has a stage at 100%, {stage.name}, whose gates compare with stable, which serves nobody then: {names}"
    expected = "a gate with an objective, a threshold or baseline: previous, or gates: [] to rely on people alone"
    yield Mistake(place, None, problem, expected)


def _limited(place: str, stage: Stage) -> Iterator[Mistake]:
    """A limit that protects a candidate at 5 % turns everybody away at 100 %."""
    policy = stage.traffic.policy
    if stage.traffic.weight == 100 and policy and policy.rate_limit:
        problem = (
            f"has a stage at 100%, {stage.name}, in which rate_limit would turn away users of everybody's requests"
        )
        yield Mistake(place, None, problem, "a traffic_policy of its own without rate_limit for that stage")
