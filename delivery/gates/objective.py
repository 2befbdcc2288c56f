"""A rate of bad events that the candidate must keep below, whatever stable does (F3)."""

from typing import Any

from delivery.gates import evalue
from delivery.gates.comparison import COLD, Window
from delivery.gates.evalue import RateTest
from delivery.gates.gate import State

_MOST = 0.5


class Objective:
    """FAIL evidence runs over the whole release with one start for each stage, PASS evidence within a stage."""

    def __init__(self, rate: float, stages: int) -> None:
        self._stages = stages
        self._worse = RateTest.worse(rate)
        self._worse_cold = RateTest.worse(max(rate, min(COLD * rate, _MOST)))
        self._better = RateTest.better(rate)

    def start(self) -> dict[str, Any]:
        return {"x": 0, "n": 0, "worse": evalue.idle(), "better": evalue.idle()}

    def begin(self, state: State, starts: int) -> dict[str, Any]:
        """A stage begins, the `starts`-th; no more than the plan has get a start of their own."""
        worse = evalue.begin(state["worse"], self._stages) if starts <= self._stages else state["worse"]
        return {**state, "worse": worse, "better": evalue.begin(evalue.idle(), 1)}

    def add(self, state: State, tick: Window, phi: float) -> dict[str, Any]:
        worse = self._worse_cold if tick.cold else self._worse
        return {
            "x": state["x"] + tick.x,
            "n": state["n"] + tick.n,
            "worse": worse.add(state["worse"], tick.x, tick.n, phi),
            "better": self._better.add(state["better"], tick.x, tick.n, phi),
        }

    def worse(self, state: State, waiting: float) -> float:
        """Log of the evidence that the rate is above the objective."""
        return evalue.log_value(state["worse"], waiting)

    def better(self, state: State) -> float:
        """Log of the evidence, within the stage, that the rate is below the objective."""
        return evalue.log_value(state["better"])
