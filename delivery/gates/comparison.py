"""One kind of bad event, compared between candidate and stable over all ticks of a release."""

from dataclasses import dataclass
from typing import Any

from delivery.gates import calm, dispersion, evalue, interval
from delivery.gates.evalue import RateTest, RatioTest
from delivery.gates.gate import State

MARGINS = (3.0, 2.0, 1.5)
"""How many times stable's rate a PASS rules out, where the plan does not say: less as the candidate gets more."""
_SHARES = (0.15, 0.35)  # of all requests, from which on the next margin holds
COLD = 5.0
"""How many times stable's rate a candidate may have while it warms up."""


@dataclass(frozen=True, slots=True)
class Window:
    """One tick's bad events of all requests, on both sides. `cold`: the candidate warms up."""

    x: int
    n: int
    y: int
    m: int
    cold: bool = False


class Comparison:
    """FAIL evidence runs over the whole release with one start for each stage, PASS evidence within a stage.

    `phi` None: it is learned from stable's ticks. Cold ticks have an E-process of their own with half the weight, where
    the candidate warms up at all: what is allowed there would else outweigh what comes after.
    """

    def __init__(
        self,
        worse_than: float,
        floor: float,
        no_worse_than: float | None,
        phi: float | None,
        stages: int,
        *,
        warms: bool = False,
    ) -> None:
        margins = MARGINS if no_worse_than is None else (no_worse_than,)
        self._stages = stages
        self._phi = phi
        self._worse = RatioTest.worse(worse_than)
        self._cold = RatioTest.worse(max(worse_than, COLD)) if warms else None
        self._floor = RateTest.worse(floor)
        self._better = [RatioTest.better(margin) for margin in margins]

    def start(self, before: State | None = None) -> dict[str, Any]:
        """Nothing compared. Of an earlier release only how bursty stable is counts."""
        return {
            "x": 0, "n": 0, "y": 0, "m": 0,
            "over": 0.0, "under": 0.0,
            "worse": evalue.idle(), "floor": evalue.idle(), "better": evalue.idle(), "margin": None,
            "curve": interval.start(), "calm": calm.start(), "cold": evalue.idle(),
            "spread": dispersion.start(before["spread"] if before else None),
        }  # fmt: skip

    def begin(self, state: State, starts: int) -> dict[str, Any]:
        """A stage begins, the `starts`-th; no more than the plan has get a start of their own."""
        after = {**state, "better": evalue.begin(evalue.idle(), 1), "margin": None}
        if starts <= self._stages:
            after["worse"] = evalue.begin(state["worse"], self._stages)
            after["floor"] = evalue.begin(state["floor"], self._stages)
            after["cold"] = evalue.begin(state["cold"], self._stages) if self._cold else evalue.idle()
        return after

    def phi(self, state: State) -> float:
        """The dispersion, as far as it is known."""
        return dispersion.phi(state["spread"]) if self._phi is None else self._phi

    def learn(self, state: State, tick: Window) -> dict[str, Any]:
        """The state after a tick of which only stable's side counts."""
        return {**state, "spread": dispersion.add(state["spread"], tick.y, tick.m)}

    def add(self, state: State, tick: Window) -> dict[str, Any]:
        x, n, y, m = tick.x, tick.n, tick.y, tick.m
        phi = self.phi(state)
        after = {
            **self.learn(state, tick),
            "x": state["x"] + x, "n": state["n"] + n, "y": state["y"] + y, "m": state["m"] + m,
            "floor": self._floor.add(state["floor"], x, n, phi),
        }  # fmt: skip
        if not m and x:
            after["curve"] = interval.add(state["curve"], x, 1.0)  # what nothing stands beside moves no end of it
        if not n or not m:
            return after
        w, e = n / (n + m), x + y
        margin = state["margin"]
        if margin is None:
            after["margin"] = margin = 0 if len(self._better) == 1 else sum(w >= share for share in _SHARES)
        if e:
            after["over"] = state["over"] + x * (1 - w)
            after["under"] = state["under"] + y * w
            if tick.cold and self._cold:
                after["cold"] = self._cold.add(state["cold"], x, e, w, phi)
            else:
                after["worse"] = self._worse.add(state["worse"], x, e, w, phi)
            after["curve"] = interval.add(state["curve"], e, w)
        if calm.is_calm(state["calm"], y, m):
            after["better"] = self._better[margin].add(state["better"], x, e, w, phi)
            after["calm"] = calm.add(state["calm"], y, m)
        return after

    def worse(self, state: State, waiting: float) -> float:
        """Log of the evidence that the candidate's rate is more than `worse_than` times stable's."""
        return evalue.log_of_both(state["worse"], state["cold"], waiting)

    def above_floor(self, state: State, waiting: float) -> float:
        """Log of the evidence that the candidate's rate is above the floor."""
        return evalue.log_value(state["floor"], waiting)

    def better(self, state: State) -> float:
        """Log of the evidence, within the stage, that the candidate's rate is less than the margin times stable's."""
        return evalue.log_value(state["better"])

    def ratio(self, state: State) -> float | None:
        """Candidate's rate over stable's by Mantel and Haenszel: a baseline that moves between ticks is allowed for."""
        return state["over"] / state["under"] if state["under"] > 0 else None

    def interval(self, state: State, alpha: float) -> tuple[float, float] | None:
        """The ratios that are still possible; None where the ratio is not known either."""
        ratio = self.ratio(state)
        if ratio is None:
            return None
        low, high = interval.bounds(state["curve"], state["x"], self.phi(state), alpha)
        return min(low, ratio), max(high, ratio)
