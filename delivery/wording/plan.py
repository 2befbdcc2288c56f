"""A plan in words, before anything moves: what `plan` shows in the CLI and the API."""

from collections.abc import Mapping
from typing import Any

from delivery.model.ids import Micros
from delivery.model.place import Mode
from delivery.model.plan import Approval, GateSpec, LowTraffic, Plan, Stage, Then
from delivery.model.verdict import Baseline
from delivery.wording.policy import limits
from delivery.wording.traffic import describe as whom
from delivery.wording.units import counted, duration, listed, number, percent

_END = {
    None: "then everybody gets the candidate, which becomes stable",
    Then.ASK: "then people decide: approve promotes it, reject withdraws it",
    Then.PROMOTE: "then everybody gets the candidate, which becomes stable",
    Then.WITHDRAW: "then it is withdrawn: everybody is back on stable",
}


def describe(plan: Plan) -> tuple[str, ...]:
    """A line for each stage (who gets the candidate, for how long, judged by what), and one for the end."""
    lines = [f"{index}. {step(stage, plan)}" for index, stage in enumerate(plan.stages, 1)]
    return (*lines, f"{len(lines) + 1}. {ending(plan)}", *_copies(plan))


def _copies(plan: Plan) -> tuple[str, ...]:
    """What comparing with a copy of stable costs."""
    most = max((stage.traffic.baseline or 0 for stage in plan.stages), default=0)
    if not most:
        return ()
    pods = {None: "one more process", Mode.VERSIONED: "as many pods as stable has"}.get(
        plan.mode, f"pods for {percent(most)} of the traffic at most"
    )
    left_out = [stage.name for stage in plan.stages if not stage.traffic.baseline]
    ends = f"; {listed(left_out)} {'is' if len(left_out) == 1 else 'are'} not compared with it" if left_out else ""
    return (f"a copy of stable is started beside the candidate and goes with it: {pods}{ends}",)


def step(stage: Stage, plan: Plan) -> str:
    """Who gets the candidate in a stage, for how long, and judged by what."""
    parts = [f"{stage.name}: {whom(stage.traffic)}"]
    if stage.traffic.policy:
        parts.append(f"with {limits(stage.traffic.policy)}")
    if stage.approval:
        parts.append(f"after {approval(stage.approval)}")
    if stage.bake:
        parts.append(f"for {duration(stage.bake)} (at most {duration(stage.deadline)}{_little(stage)})")
    if stage.bake or stage.gates:
        parts.append(_judged(stage, plan))
    parts += [f"until hook {name} has succeeded" for name in stage.hooks]
    return ", ".join(parts)


def _little(stage: Stage) -> str:
    if not stage.min_requests:
        return ""
    then = "goes on" if stage.low_traffic is LowTraffic.ADVANCE else "holds"
    return f"; {then} then if there were under {number(stage.min_requests)} requests"


def _judged(stage: Stage, plan: Plan) -> str:
    blocking = tuple(gate for gate in stage.gates if plan.gate(gate).blocking)
    shown = tuple(gate for gate in stage.gates if gate not in blocking)
    judged = f"judged by {listed(blocking)}" if blocking else "judged by people alone"
    return f"{judged}, with {listed(shown)} for information" if shown else judged


def approval(wanted: Approval) -> str:
    """`2 approvals of sre within 4h`."""
    of = f" of {wanted.group}" if wanted.group else ""
    within = f" within {duration(wanted.expires)}" if wanted.expires else ""
    return f"{counted(wanted.count, 'approval')}{of}{within}"


def ending(plan: Plan) -> str:
    """What follows the last stage."""
    end = _END[plan.then]
    if plan.promotion is None or (plan.then is Then.ASK and plan.promotion == Approval()):
        return end
    return f"{end}, after {approval(plan.promotion)}"


def at_least(plan: Plan) -> Micros:
    """The sum of the bakes. A gate that passes early makes it shorter, people and readiness make it longer."""
    return Micros(sum(stage.bake for stage in plan.stages))


_WITH = {
    None: "stable's",
    Baseline.STABLE: "stable's",
    Baseline.PREVIOUS: "stable's of before (confounded by time)",
    Baseline.FRESH: "those of a copy of stable as young as it",
}
_JUDGES = {
    "threshold": "holds the candidate's {} to a limit, uncalibrated",
    "conversion": "shows the share of users with {} on both sides",
}


def gate(spec: GateSpec) -> str:
    """`errors compares http_errors with stable's: worse_than 1.1, floor 0.001`."""
    params: Mapping[str, Any] = spec.params
    settings = ", ".join(f"{key} {_setting(key, value)}" for key, value in params.items() if _said(key, value))
    measure = params.get("measure", spec.kind)
    compares = "compares {} with " + _WITH[spec.baseline]
    what = _JUDGES.get(spec.kind, compares).format(measure)
    report = "" if spec.blocking else " (for information)"
    return f"{spec.id} {what}{report}: {settings}" if settings else f"{spec.id} {what}{report}"


def _said(key: str, value: object) -> bool:
    return key != "measure" and value is not None and not (key == "warm_up" and not value)


def _setting(key: str, value: Any) -> str:
    if key in ("over", "warm_up"):
        return duration(value)
    if key in ("floor", "objective"):
        return percent(100 * value)
    if key == "above":  # latency bounds
        return listed([f"{bound} ms" for bound in (value if isinstance(value, list | tuple) else [value])])
    return str(value)
