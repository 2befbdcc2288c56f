"""A plan in words, before anything moves: what `plan` shows in the CLI and the API."""

from delivery.model.plan import Approval, LowTraffic, Plan, Stage, Then
from delivery.wording.traffic import describe as whom
from delivery.wording.units import counted, duration, listed, number

_END = {
    None: "then everybody gets the candidate, which becomes stable",
    Then.ASK: "then people decide: approve promotes it, reject withdraws it",
    Then.PROMOTE: "then everybody gets the candidate, which becomes stable",
    Then.WITHDRAW: "then it is withdrawn: everybody is back on stable",
}


def describe(plan: Plan) -> tuple[str, ...]:
    """A line for each stage (who gets the candidate, for how long, judged by what), and one for the end."""
    lines = [f"{index}. {_stage(stage, plan)}" for index, stage in enumerate(plan.stages, 1)]
    return (*lines, f"{len(lines) + 1}. {_end(plan)}")


def _stage(stage: Stage, plan: Plan) -> str:
    parts = [f"{stage.name}: {whom(stage.traffic)}"]
    if stage.approval:
        parts.append(f"after {_approval(stage.approval)}")
    if stage.bake:
        parts.append(f"for {duration(stage.bake)} (at most {duration(stage.deadline)}{_little(stage)})")
    if stage.bake or stage.gates:
        parts.append(_judged(stage, plan))
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


def _approval(approval: Approval) -> str:
    of = f" of {approval.group}" if approval.group else ""
    within = f" within {duration(approval.expires)}" if approval.expires else ""
    return f"{counted(approval.count, 'approval')}{of}{within}"


def _end(plan: Plan) -> str:
    end = _END[plan.then]
    if plan.promotion is None or (plan.then is Then.ASK and plan.promotion == Approval()):
        return end
    return f"{end}, after {_approval(plan.promotion)}"
