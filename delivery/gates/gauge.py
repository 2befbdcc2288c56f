"""Gate `gauge`: a level such as CPU, heap or a queue, candidate against stable (F6 of docs/gates.md). Advisory.

    cpu: {gauge: cpu_seconds_per_pod, worse_than: 1.2, over: 5m}

Levels of one tick resemble those of the tick before, and the test takes them for independent: so it looks at means over
`over`, and it blocks only where the file says so. Half an hour has six of them.
"""

import math
from collections.abc import Mapping
from typing import Any

from delivery.gates.conversion import MEASURE
from delivery.gates.gate import PATIENCE, Gate, State
from delivery.gates.measure import unmeasured, unmeasured_name
from delivery.model.fields import Fields
from delivery.model.ids import HOUR, MINUTE, Micros
from delivery.model.plan import GateSpec, Require
from delivery.model.scalars import show_duration
from delivery.model.verdict import Counts, Judgement, Side, Tick, Verdict

BLOCKS = False
COMPARES = False
LEAST = 3
"""Means before it can fail: with two, chance alone makes any spread small."""


def parse(fields: Fields) -> Mapping[str, object]:
    """Reads `gauge` (the name of the measure), `worse_than`, `over`, `warm_up`."""
    if fields.choice("require", Require, Require.NO_FAIL) is Require.PASS:
        fields.wrong("require", "asks for a pass, which a gauge never says", Require.NO_FAIL.value)
    return {
        "measure": fields.get("gauge", MEASURE),
        "worse_than": fields.number("worse_than", 1.1, low=1.0, high=100.0),
        "over": fields.duration("over", Micros(5 * MINUTE), low=MINUTE, high=HOUR),
        "warm_up": fields.duration("warm_up", Micros(3 * MINUTE), high=HOUR),
    }


def build(spec: GateSpec, alpha: float, stages: int) -> Gate:
    return GaugeGate(spec, alpha)


def at_full(spec: GateSpec) -> bool:
    """Without stable there is nothing to compare with."""
    return False


def log_evidence(differences: int, total: float, squares: float) -> float:
    """Log of the E-process of "the mean difference is at most 0", after so many with this sum and sum of squares.

    E = (1+T)^-1/2 * ((v + t^2) / (v + t^2/(1+T)))^(T/2) for T differences, t their Student statistic, v = T-1.
    """
    if differences < LEAST or total <= 0:
        return 0.0
    mean = total / differences
    variance = max(0.0, squares / differences - mean * mean) * differences / (differences - 1)
    if variance <= 0:
        return 0.0  # a level that never moves is no measurement
    t2, v, wide = differences * mean * mean / variance, differences - 1, 1 + differences
    return -math.log(wide) / 2 + differences / 2 * (math.log(v + t2) - math.log(v + t2 / wide))


class GaugeGate:
    """FAIL when the differences candidate - worse_than * stable are shown to be above 0, over the whole release."""

    def __init__(self, spec: GateSpec, alpha: float) -> None:
        params: Mapping[str, Any] = spec.params
        self._spec, self._alpha = spec, alpha
        self._measure: str = params["measure"]
        self._worse_than: float = params["worse_than"]
        self._over: int = params["over"]
        self._warm_up: int = params["warm_up"]

    def start(self, before: State | None = None) -> State:
        return {
            "stage": -1, "since": 0, "blank": 0, "why": "", "failed": False, "lasted": 0, "after": 0,
            "block": [0.0, 0.0, 0, 0], "differences": [0, 0.0, 0.0], "levels": [0.0, 0.0],
        }  # fmt: skip

    def add(self, state: State, tick: Tick) -> State:
        """A mean that has begun ends with its stage: the next one has other traffic."""
        if tick.stage != state["stage"]:
            state = {**state, "stage": tick.stage, "since": tick.start, "blank": 0, "block": [0.0, 0.0, 0, 0]}
        own, other = self._level(tick.candidate), self._level(tick.stable)
        if not tick.complete or own is None or other is None:
            side = tick.candidate if own is None else tick.stable
            why = unmeasured_name(self._measure, side) if tick.complete else unmeasured(tick)
            return {**state, "blank": state["blank"] + 1, "why": why}
        took = max(0, tick.end - tick.start)
        after = {**state, "blank": 0, "why": "", "lasted": state["lasted"] + took}
        if tick.stable_down or tick.start < state["since"] + self._warm_up:
            return after
        a, b, ticks, lasted = state["block"]
        after["block"] = [a + own, b + other, ticks + 1, lasted + took]
        return self._closed(after) if lasted + took >= self._over else after

    def verdict(self, state: State) -> Verdict:
        if state["failed"]:
            return Verdict.FAIL
        return Verdict.NO_DATA if state["blank"] >= PATIENCE else Verdict.CONTINUE

    def judge(self, state: State) -> Judgement:
        verdict = self.verdict(state)
        none = Side(0, 0)
        return Judgement(
            self._spec.id, verdict, none, none, blocking=self._spec.blocking, detail=self._detail(state, verdict),
            lasted=Micros(state["after"]) if verdict is Verdict.FAIL else None,
        )  # fmt: skip

    def _closed(self, state: State) -> State:
        a, b, ticks, _ = state["block"]
        own, other = a / ticks, b / ticks
        count, total, squares = state["differences"]
        difference = own - self._worse_than * other
        after = {
            **state, "block": [0.0, 0.0, 0, 0],
            "differences": [count + 1, total + difference, squares + difference * difference],
            "levels": [state["levels"][0] + own, state["levels"][1] + other],
        }  # fmt: skip
        if not after["failed"] and log_evidence(*after["differences"]) >= -math.log(self._alpha):
            after |= {"failed": True, "after": after["lasted"]}
        return after

    def _level(self, counts: Counts) -> float | None:
        return next((level for name, level in counts.gauges or () if name == self._measure), None)

    def _detail(self, state: State, verdict: Verdict) -> str:
        if verdict is Verdict.NO_DATA:
            return state.get("why") or "no complete measurement"
        count, (own, other) = state["differences"][0], state["levels"]
        over = show_duration(Micros(self._over))
        if not count:
            return f"has no whole window of {over} yet"
        times = f"{own / other:.3g} times stable's: " if other > 0 else ""
        return f"{times}{own / count:.4g} against {other / count:.4g}, in {count} windows of {over}"
