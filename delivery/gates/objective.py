"""A rate of bad events that the candidate must keep below, whatever stable does (F3)."""

from typing import Any

from delivery.gates import evalue
from delivery.gates.evalue import RateTest
from delivery.gates.gate import State


class Objective:
    """FAIL evidence runs over the whole release with one start for each stage, PASS evidence within a stage."""

    def __init__(self, rate: float, phi: float, stages: int) -> None:
        self._stages = stages
        self._worse = RateTest.worse(rate, phi)
        self._better = RateTest.better(rate, phi)

    def start(self) -> dict[str, Any]:
        return {"worse": evalue.idle(), "better": evalue.idle()}

    def begin(self, state: State, starts: int) -> dict[str, Any]:
        """A stage begins, the `starts`-th; no more than the plan has get a start of their own."""
        worse = evalue.begin(state["worse"], self._stages) if starts <= self._stages else state["worse"]
        return {"worse": worse, "better": evalue.begin(evalue.idle(), 1)}

    def add(self, state: State, x: int, n: int) -> dict[str, Any]:
        return {"worse": self._worse.add(state["worse"], x, n), "better": self._better.add(state["better"], x, n)}

    def worse(self, state: State, waiting: float) -> float:
        """Log of the evidence that the rate is above the objective."""
        return evalue.log_value(state["worse"], waiting)

    def better(self, state: State) -> float:
        """Log of the evidence, within the stage, that the rate is below the objective."""
        return evalue.log_value(state["better"])
