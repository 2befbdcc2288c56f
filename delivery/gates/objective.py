"""A rate of bad events that the candidate must keep below, whatever stable does (F3)."""

from typing import Any

from delivery.gates import evalue
from delivery.gates.comparison import COLD, Window
from delivery.gates.evalue import RateTest
from delivery.gates.gate import State

_MOST = 0.5


class Objective:
    """FAIL evidence runs over the whole release with one start for each stage, PASS evidence within a stage.

    Cold ticks have an E-process of their own, as in `delivery.gates.comparison`.
    """

    def __init__(self, rate: float, stages: int, *, warms: bool = False) -> None:
        self._stages = stages
        self._worse = RateTest.worse(rate)
        self._cold = RateTest.worse(max(rate, min(COLD * rate, _MOST))) if warms else None
        self._better = RateTest.better(rate)

    def start(self) -> dict[str, Any]:
        return {"x": 0, "n": 0, "worse": evalue.idle(), "cold": evalue.idle(), "better": evalue.idle()}

    def begin(self, state: State, starts: int) -> dict[str, Any]:
        """A stage begins, the `starts`-th; no more than the plan has get a start of their own."""
        after = {**state, "better": evalue.begin(evalue.idle(), 1)}
        if starts <= self._stages:
            after["worse"] = evalue.begin(state["worse"], self._stages)
            after["cold"] = evalue.begin(state["cold"], self._stages) if self._cold else evalue.idle()
        return after

    def add(self, state: State, tick: Window, phi: float) -> dict[str, Any]:
        after = {
            **state, "x": state["x"] + tick.x, "n": state["n"] + tick.n,
            "better": self._better.add(state["better"], tick.x, tick.n, phi),
        }  # fmt: skip
        if tick.cold and self._cold:
            after["cold"] = self._cold.add(state["cold"], tick.x, tick.n, phi)
        else:
            after["worse"] = self._worse.add(state["worse"], tick.x, tick.n, phi)
        return after

    def worse(self, state: State, waiting: float) -> float:
        """Log of the evidence that the rate is above the objective."""
        return evalue.log_of_both(state["worse"], state["cold"], waiting)

    def better(self, state: State) -> float:
        """Log of the evidence, within the stage, that the rate is below the objective."""
        return evalue.log_value(state["better"])
