"""What versions did in ticks that are over: what a candidate is compared with where stable gets no requests.

It travels with the gates' states, from release to release: `{"versions": {identity: [[end, requests, errors,
[[bound, slow]]]]}, "next": place}`. The newest tick is used first, and each once in a release: `next` is the place of
the one that comes next, None before the first stage that needs any.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from delivery.gates.previous import KEPT, needs
from delivery.model.ids import GateId, Micros
from delivery.model.plan import Plan, Stage
from delivery.model.release import Bound
from delivery.model.verdict import Baseline, Counts, Earlier, Tick

RECORD = "%record"  # among the gates' states: no gate is called so
State = Mapping[str, Any]


def begin(plan: Plan, bound: Bound | None, before: Mapping[str, Any]) -> dict[str, Any]:
    """The gates' states that a release begins with, beside those of its gates: none where nothing needs a record."""
    if not any(_needed(plan, gate.id) for gate in plan.gates):
        return {}
    known = dict(before.get(RECORD, {}).get("versions", {}))
    kept = {bound.stable.identity: known.get(bound.stable.identity, [])} if bound and bound.stable else {}
    return {RECORD: {"versions": kept, "next": None}}


def _needed(plan: Plan, gate: GateId) -> bool:
    return plan.gate(gate).baseline is Baseline.PREVIOUS


def earlier(state: State, plan: Plan, stage: Stage, bound: Bound | None) -> tuple[State, Earlier | None]:
    """What the next tick of a stage is compared with, where one of its gates asks for it and something is left."""
    if not any(_needed(plan, gate) for gate in stage.gates) or bound is None or bound.stable is None:
        return state, None
    known = state["versions"].get(bound.stable.identity, [])
    place = len(known) - 1 if state["next"] is None else state["next"]
    after = {**state, "next": place - 1 if place >= 0 else place}
    return after, _read(known[place]) if 0 <= place < len(known) else None


def _read(kept: Sequence[Any]) -> Earlier:
    end, requests, errors, slow = kept
    return Earlier(Counts(requests, errors, tuple((bound, number) for bound, number in slow)), Micros(end))


def add(state: State, plan: Plan, stage: Stage, bound: Bound | None, tick: Tick) -> State:
    """The record after a tick. Copies of a mirror are no requests of users, and are left out."""
    if not tick.complete or bound is None or stage.traffic.mirror is not None:
        return state
    versions = dict(state["versions"])
    bounds = {one for gate in plan.gates if _needed(plan, gate.id) for one in needs(gate)}
    if tick.candidate.requests:
        _keep(versions, bound.candidate.identity, tick.candidate, bounds, tick.end)
    begun = state["next"] is not None
    if tick.stable.requests and not tick.stable_down and not begun and bound.stable is not None:
        _keep(versions, bound.stable.identity, tick.stable, bounds, tick.end)
    return {**state, "versions": versions}


def _keep(versions: dict[str, Any], identity: str, counts: Counts, bounds: set[int], end: Micros) -> None:
    slow = [[bound, number] for bound, number in counts.slow if bound in bounds]
    versions[identity] = [*versions.get(identity, ()), [end, counts.requests, counts.errors, slow]][-KEPT:]
