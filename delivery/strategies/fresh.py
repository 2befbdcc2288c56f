"""Stages in which the candidate is compared with a copy of stable that is as young as it (`baseline: fresh`).

The copy gets as much as the candidate while there is enough for both. Above a third it gets half of what the candidate
leaves: stable keeps the other half, so that it is never idle, for a revert gives everybody to it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from delivery.model.mistake import Mistake
from delivery.model.plan import Stage
from delivery.model.service import Service
from delivery.model.traffic import Traffic
from delivery.model.verdict import Baseline

WHERE = "a canary's steps up to 98%, without sticky"


def room(traffic: Traffic) -> int:
    """The percent that a copy of stable would get beside this; 0 where none can be.

    Only requests that are drawn by chance are alike on both sides, and a user who stays where they are is not drawn.
    """
    if traffic.mirror is not None or traffic.sticky is not None:
        return 0
    return min(traffic.weight, (100 - traffic.weight) // 2)


def beside(stage: Stage, service: Service) -> Stage:
    """The stage with a copy's share, where one of its gates compares with one."""
    named = {gate.id for gate in service.gates if gate.baseline is Baseline.FRESH}
    if named.isdisjoint(stage.gates) or not room(stage.traffic):
        return stage
    return replace(stage, traffic=replace(stage.traffic, baseline=room(stage.traffic)))


def unused(service: Service, stages: Iterable[Stage]) -> Iterator[Mistake]:
    """Gates that compare with a copy of stable, where no stage that they judge can have one."""
    able = {gate for stage in stages if room(stage.traffic) for gate in stage.gates}
    for gate in service.gates:
        if gate.baseline is Baseline.FRESH and gate.id not in able:
            problem = "is fresh, and no stage that it judges has requests for a copy of stable"
            yield Mistake(f"gates.{gate.id}.baseline", None, problem, f"one of {WHERE}; or stable, with a warm_up")


def unjudged(place: str, stage: Stage, service: Service) -> Iterator[Mistake]:
    """A stage whose blocking gates all compare with a copy of stable that it has no requests for; below 100 percent."""
    blocking = [gate for gate in service.gates if gate.blocking and gate.id in stage.gates]
    if (
        not blocking
        or stage.traffic.weight == 100
        or room(stage.traffic)
        or any(gate.baseline is not Baseline.FRESH for gate in blocking)
    ):
        return
    names = ", ".join(gate.id for gate in blocking)
    problem = f"has a stage, {stage.name}, without requests for a copy of stable, which its gates compare with: {names}"
    yield Mistake(place, None, problem, f"{WHERE}; or one more gate, with baseline: stable or an objective")
