"""A plan in words, before anything is released."""

from collections.abc import Mapping
from typing import Any

from delivery.model.ids import Micros
from delivery.model.plan import Approval, GateSpec, LowTraffic, Plan, Then
from delivery.wording.traffic import describe, place
from delivery.wording.units import counted, duration, listed

_THEN = {
    Then.ASK: "then people are asked whether everybody gets it",
    Then.PROMOTE: "then everybody gets it, without asking",
    Then.WITHDRAW: "then everybody goes back to stable",
}


def steps(plan: Plan) -> tuple[str, ...]:
    """A sentence for each stage, one for the end, and one for how long it takes at least."""
    stages = [stage(plan, index) for index in range(len(plan.stages))]
    return (*stages, ending(plan), f"at least {duration(at_least(plan))} in all, unless gates pass early")


def stage(plan: Plan, index: int) -> str:
    """`canary 5% (2/4): the candidate gets 5 % of requests for 5m and 50 requests or more; errors is watched`."""
    one = plan.stages[index]
    text = f"{place(index, plan.stages)}: the candidate gets {describe(one.traffic)} for {duration(one.bake)}"
    text += f" and {counted(one.min_requests, 'request')} or more"
    if one.gates:
        text += f"; {listed(one.gates)} {'is' if len(one.gates) == 1 else 'are'} watched"
    if one.low_traffic is LowTraffic.ADVANCE:
        text += f"; with fewer requests it goes on after {duration(one.deadline)} all the same"
    return f"{text}; before it, {approval(one.approval)}" if one.approval else text


def approval(one: Approval) -> str:
    """`1 of sre approves, within 4h`."""
    who = f"of {one.group}" if one.group else ("person" if one.count == 1 else "people")
    verb = "approves" if one.count == 1 else "approve"
    limit = f", within {duration(one.expires)}" if one.expires is not None else ""
    return f"{one.count} {who} {verb}{limit}"


def ending(plan: Plan) -> str:
    """What follows the last stage."""
    if plan.then is not None:
        return _THEN[plan.then]
    return f"then everybody gets it{f', once {approval(plan.promotion)}' if plan.promotion else ''}"


def at_least(plan: Plan) -> Micros:
    """The sum of the bakes. A gate that passes early makes it shorter, people and readiness make it longer."""
    return Micros(sum(stage.bake for stage in plan.stages))


def gate(spec: GateSpec) -> str:
    """`errors compares http_errors of candidate and stable: worse_than 1.1, floor 0.001`."""
    params: Mapping[str, Any] = spec.params
    settings = ", ".join(f"{key} {value}" for key, value in params.items() if key != "measure" and value is not None)
    measure = params.get("measure", spec.kind)
    what = (
        f"holds {measure} of the candidate to a limit"
        if spec.kind == "threshold"
        else f"compares {measure} with stable's"
    )
    report = "" if spec.blocking else " (report only)"
    return f"{spec.id} {what}: {settings}{report}" if settings else f"{spec.id} {what}{report}"
