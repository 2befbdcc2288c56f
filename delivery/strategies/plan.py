"""A service's strategies, compiled into the one plan that a release of it follows.

A plan never lowers: each strategy starts from the traffic that the one before it ended with, its rules stay, a mirror
ends at the first rule or weight, and only the last strategy may reach 100 percent.
"""

from collections import Counter
from dataclasses import replace

from delivery.model.ids import MINUTE, Micros
from delivery.model.mistake import Invalid, Mistake
from delivery.model.plan import Approval, GateSpec, Plan, Stage, Then, placed
from delivery.model.service import Service, StageDefaults, Strategy
from delivery.model.traffic import ALL_STABLE, Traffic
from delivery.model.verdict import Baseline
from delivery.strategies import fresh, hooks, rules

BAKE = Micros(10 * MINUTE)
"""What the release simulation ran with: 98 of 100 healthy releases ended without a person at every rate of traffic."""
SHIFTING = MINUTE
"""What a stage's deadline has for the shift itself, on top of three bakes."""


def compile_plan(service: Service) -> Plan:
    """The plan. Raises Invalid with the place of every mistake (`strategies[1].canary`), lines not known."""
    defaults = _defaults(service)
    before, stages, mistakes = ALL_STABLE, list[Stage](), list[Mistake]()
    for index, strategy in enumerate(service.strategies):
        added = strategy.stages(before, defaults)
        place = f"strategies[{index}].{strategy.kind}"
        if index < len(service.strategies) - 1:
            mistakes += rules.chained(place, strategy, added, strategy.promotion(defaults))
        mistakes += rules.check(place, strategy, before, added, service)
        stages += added
        before = _after(added[-1].traffic)
    promotion = _promotion(service.strategies[-1], defaults)
    mistakes += rules.unused(service, stages, promotion)
    stages = _distinct(stages)
    mistakes += hooks.mistakes(service, stages)
    if mistakes:
        raise Invalid(dict.fromkeys(mistakes))
    return _plan(service, promotion, stages)


def _after(traffic: Traffic) -> Traffic:
    """What the next strategy starts from: faults are for the tests of their own stage."""
    return replace(traffic, rules=tuple(rule for rule in traffic.rules if rule.fault is None))


def _defaults(service: Service) -> StageDefaults:
    policy = service.policy
    return StageDefaults(
        bake=BAKE,
        deadline=SHIFTING,
        min_requests=policy.min_requests,
        low_traffic=policy.low_traffic,
        gates=tuple(gate.id for gate in service.gates),
        policy=service.traffic_policy,
        approval=policy.approval or Approval(),
    )


def _promotion(last: Strategy, defaults: StageDefaults) -> Approval | None:
    return last.promotion(defaults) or (defaults.approval if last.then is Then.ASK else None)


def _plan(service: Service, promotion: Approval | None, stages: list[Stage]) -> Plan:
    stages = hooks.with_hooks(service, [fresh.beside(_hear(stage, service), service) for stage in stages])
    used = {gate for stage in stages for gate in stage.gates}
    policy = service.policy
    plan = Plan(
        stages=tuple(stages),
        gates=tuple(_warming(gate, stages) for gate in service.gates if gate.id in used),
        then=service.strategies[-1].then,
        promotion=promotion,
        tick=service.tick,
        alpha=service.alpha,
        hold_limit=policy.hold_limit,
        at_limit=policy.at_limit,
        rollback_window=service.rollback_window,
        appear_within=service.appear_within,
        abort_on=policy.abort_on,
        override=policy.override,
        hooks=hooks.specs(service, stages),
    )
    return placed(plan, service.workload.place)


def _warming(gate: GateSpec, stages: list[Stage]) -> GateSpec:
    """A stage in which a candidate only warms up would judge nothing: that takes a third of its bake at most."""
    wanted = gate.params.get("warm_up")
    if not isinstance(wanted, int):
        return gate
    most = min((stage.bake for stage in stages if stage.bake and gate.id in stage.gates), default=wanted) // 3
    return replace(gate, params={**gate.params, "warm_up": min(wanted, most)})


def _distinct(stages: list[Stage]) -> list[Stage]:
    """Stages that are called the same get a number."""
    seen: Counter[str] = Counter()
    named = []
    for stage in stages:
        seen[stage.name] += 1
        count = seen[stage.name]
        named.append(replace(stage, name=f"{stage.name} #{count}") if count > 1 else stage)
    return named


def _hear(stage: Stage, service: Service) -> Stage:
    """Where stable has no requests, gates that compare with it are left out: they would wait for data for ever.

    Where it has some, those that compare with it as it was are: beside the candidate it tells more. So are those that
    compare with a copy of it, where none has room. What is only observed has everybody, whatever the stage would have
    given it.
    """
    if stage.traffic.weight == 100:
        able = {gate.id for gate in service.gates if gate.at_full}
    elif rules.observed(service):
        return stage
    else:
        unable = {Baseline.PREVIOUS} if fresh.room(stage.traffic) else {Baseline.PREVIOUS, Baseline.FRESH}
        able = {gate.id for gate in service.gates if gate.baseline not in unable}
    return replace(stage, gates=tuple(gate for gate in stage.gates if gate in able))
