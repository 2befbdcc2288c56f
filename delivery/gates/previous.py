"""A gate against stable as it was before: for stages in which stable gets no requests.

    before: {ratio: http_errors, baseline: previous}

The gate inside is told the earlier counts as if they were stable's of now. Each is used once, so that what it says is
valid where nothing but the version has changed meanwhile. Nobody knows that: so it is said wherever it shows.
"""

from typing import Any

from delivery.gates.clauses import joined
from delivery.gates.gate import PATIENCE, Gate, State
from delivery.model.frozen import replace
from delivery.model.ids import MINUTE, Micros
from delivery.model.plan import GateSpec
from delivery.model.verdict import Baseline, Counts, Judgement, Tick, Verdict

NOTHING = Counts(0, 0)


class AgainstPrevious:
    """NO_DATA where nothing of stable is on record. Once the record is used up, the gate adds nothing any more.

    `ago` in the state is how long before the candidate's ticks stable's were: the least and the most, in microseconds.
    """

    def __init__(self, gate: Gate, spec: GateSpec) -> None:
        self._gate = gate
        self._alone = spec.params.get("objective") is not None

    def start(self, before: State | None = None) -> State:
        return {"gate": self._gate.start(before.get("gate") if before else None), "bare": 0, "paired": 0, "ago": None}

    def add(self, state: State, tick: Tick) -> State:
        earlier = tick.earlier
        stable = earlier.counts if earlier is not None else NOTHING
        after = {**state, "gate": self._gate.add(state["gate"], replace(tick, stable=stable, stable_down=None))}
        if not tick.complete:
            return after
        if earlier is None:
            return {**after, "bare": state["bare"] + 1}
        ago = max(0, tick.end - earlier.end)
        least, most = state["ago"] or (ago, ago)
        return {**after, "bare": 0, "paired": state["paired"] + 1, "ago": [min(least, ago), max(most, ago)]}

    def verdict(self, state: State) -> Verdict:
        verdict = self._gate.verdict(state["gate"])
        if verdict is not Verdict.FAIL and self._unknown(state):
            return Verdict.NO_DATA
        return verdict

    def judge(self, state: State) -> Judgement:
        told = replace(self._gate.judge(state["gate"]), baseline=Baseline.PREVIOUS)
        if told.verdict is not Verdict.FAIL and self._unknown(state):
            return replace(told, verdict=Verdict.NO_DATA, detail="nothing is on record of stable before this release")
        if told.verdict is Verdict.NO_DATA or not state["paired"]:
            return told
        return replace(told, detail=joined((_when(state["ago"]), told.detail)))

    def _unknown(self, state: State) -> bool:
        return not state["paired"] and not self._alone and bool(state["bare"] >= PATIENCE)


def _when(ago: Any) -> str:
    least, most = (max(1, round(one / MINUTE)) for one in ago)
    span = f"{least} min" if least == most else f"{least} to {most} min"
    return f"stable as it was {span} before, confounded by time"


def needs(spec: GateSpec) -> tuple[int, ...]:
    """The latency bounds of which the gate needs what stable did before."""
    above: Any = spec.params.get("above") or ()
    return tuple(above) if isinstance(above, list | tuple) else (above,)


KEPT = 120
"""Ticks of a version that are kept on record: half an hour at the default tick."""


def span(tick: Micros) -> Micros:
    """How much of a version's time is kept on record."""
    return Micros(KEPT * tick)
