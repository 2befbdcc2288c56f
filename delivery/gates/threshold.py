"""Gate `threshold`: a share of the candidate's requests in a window, against a fixed limit.

    success: {threshold: http_success_rate, at_least: 99%, over: 1m, failure_limit: 3, min_requests: 100, warm_up: 1m}
    slow: {threshold: http_slow_rate, above: 500ms, at_most: 5%, over: 1m}

Uncalibrated: how often it rolls back a healthy release depends on the traffic and nobody knows beforehand
(docs/gates.md has figures). It never says PASS, so that it never ends a bake early.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from delivery.gates import clauses
from delivery.gates.gate import PATIENCE, Gate, State
from delivery.gates.measure import events, lacking, unmeasured
from delivery.model.fields import Fields
from delivery.model.ids import HOUR, MINUTE, SECOND, Micros
from delivery.model.plan import GateSpec, Require
from delivery.model.scalars import show_duration
from delivery.model.verdict import Judgement, Side, Tick, Verdict

BLOCKS = True
COMPARES = False
MILLISECOND = Micros(1000)
ROUNDING = 1e-9
"""A share that is the limit keeps it."""


class Measure(StrEnum):
    HTTP_SUCCESS_RATE = "http_success_rate"
    HTTP_ERROR_RATE = "http_error_rate"
    HTTP_SLOW_RATE = "http_slow_rate"


def parse(fields: Fields) -> Mapping[str, object]:
    """Reads `threshold` (what is measured), its limit `at_least` or `at_most`, `over`, `failure_limit`, `min_requests`.

    `above` is how slow is slow, for http_slow_rate. Of a stage's first `warm_up` nothing counts.
    """
    measure = fields.choice("threshold", Measure)
    success, slow = measure is Measure.HTTP_SUCCESS_RATE, measure is Measure.HTTP_SLOW_RATE
    fields.refuse(["at_most" if success else "at_least"], f"does not go with {measure.value}")
    if fields.choice("require", Require, Require.NO_FAIL) is Require.PASS:
        fields.wrong("require", "asks for a pass, which a threshold never says", Require.NO_FAIL.value)
    if not slow:
        fields.refuse(["above"], f"does not go with {measure.value}")
    return {
        "measure": measure.value,
        "limit": fields.share("at_least" if success else "at_most"),
        "above": fields.duration("above", low=MILLISECOND, high=MINUTE) // MILLISECOND if slow else None,
        "over": fields.duration("over", MINUTE, low=SECOND),
        "failure_limit": fields.whole("failure_limit", 3),
        "min_requests": fields.whole("min_requests", 100, low=1),
        "warm_up": fields.duration("warm_up", Micros(0), high=HOUR),
    }


def build(spec: GateSpec, alpha: float, stages: int) -> Gate:
    return ThresholdGate(spec)


def at_full(spec: GateSpec) -> bool:
    """A threshold never looks at stable."""
    return True


class ThresholdGate:
    """FAIL when more windows than `failure_limit` breached the limit, over the whole release.

    Windows do not overlap. One ends when it has lasted `over` and has `min_requests`; a new stage begins a new one.
    """

    def __init__(self, spec: GateSpec) -> None:
        params: Mapping[str, Any] = spec.params
        self._spec = spec
        self._at_least = params["measure"] == Measure.HTTP_SUCCESS_RATE
        self._limit: float = params["limit"]
        self._above: int | None = params["above"]
        self._over: int = params["over"]
        self._failure_limit: int = params["failure_limit"]
        self._min_requests: int = params["min_requests"]
        self._warm_up: int = params.get("warm_up", 0)

    def start(self, before: State | None = None) -> State:
        return {
            "stage": -1, "since": 0, "blank": 0, "seen": 0, "why": "", "sides": [0, 0, 0, 0], "all": 0, "after": 0,
            "lasted": 0, "bad": 0, "total": 0, "breaches": 0, "breach": None, "window": None,
        }  # fmt: skip

    def add(self, state: State, tick: Tick) -> State:
        if tick.stage != state["stage"]:
            stage = {"stage": tick.stage, "since": tick.start}
            state = {**state, **stage, "blank": 0, "seen": 0, "lasted": 0, "bad": 0, "total": 0}
        own, other = events(tick.candidate, self._above), events(tick.stable, self._above)
        if not tick.complete or own is None:
            why = lacking(self._above, tick) if tick.complete else unmeasured(tick)
            return {**state, "blank": state["blank"] + 1, "why": why}
        (bad, total), (beside, besides) = own, other or (0, 0)
        seen, took = state["seen"] + total, max(0, tick.end - tick.start)
        x, n, y, m = state["sides"]
        after = {
            **state, "seen": seen, "blank": 0 if seen else state["blank"] + 1, "why": "",
            "sides": [x + bad, n + total, y + beside, m + besides], "all": state.get("all", 0) + took,
        }  # fmt: skip
        if tick.start < state.get("since", 0) + self._warm_up:
            return after
        after |= {"lasted": state["lasted"] + took, "bad": state["bad"] + bad, "total": state["total"] + total}
        if after["lasted"] < self._over or after["total"] < self._min_requests:
            return after
        return self._closed(after)

    def verdict(self, state: State) -> Verdict:
        if state["breaches"] > self._failure_limit:
            return Verdict.FAIL
        return Verdict.NO_DATA if state["blank"] >= PATIENCE else Verdict.CONTINUE

    def judge(self, state: State) -> Judgement:
        x, n, y, m = state["sides"]
        verdict = self.verdict(state)
        return Judgement(
            gate=self._spec.id,
            verdict=verdict,
            candidate=Side(x, n),
            stable=Side(y, m),
            blocking=self._spec.blocking,
            detail=self._detail(state, verdict),
            lasted=Micros(state.get("after", 0)) if verdict is Verdict.FAIL else None,
        )

    def _closed(self, state: State) -> State:
        """The state after its window was judged. The window that failed the gate stays the one that is shown."""
        window = [state["bad"], state["total"], state["lasted"]]
        after = {**state, "lasted": 0, "bad": 0, "total": 0, "window": window}
        if self._breached(state["bad"], state["total"]) and state["breaches"] <= self._failure_limit:
            breaches = state["breaches"] + 1
            return {**after, "breaches": breaches, "breach": window, "after": state["all"]}
        return after

    def _breached(self, bad: int, total: int) -> bool:
        share = self._share(bad, total)
        return share < self._limit - ROUNDING if self._at_least else share > self._limit + ROUNDING

    def _share(self, bad: int, total: int) -> float:
        """The share that the limit is of: of good requests or of bad ones."""
        return (total - bad if self._at_least else bad) / total

    def _detail(self, state: State, verdict: Verdict) -> str:
        if verdict is Verdict.NO_DATA:
            return clauses.missing(state.get("why", ""), state["seen"])
        window = state["breach"] if verdict is Verdict.FAIL else state["window"]
        if window is None:
            return f"has no whole window of {show_duration(Micros(self._over))} and {self._min_requests} requests yet"
        bad, total, lasted = window
        slower = "" if self._above is None else f" slower than {self._above} ms"
        wanted = f"at {'least' if self._at_least else 'most'} {100 * self._limit:g} % wanted"
        text = f"{100 * self._share(bad, total):.4g} % of {total}{slower} in {show_duration(Micros(lasted))}, {wanted}"
        breaches = state["breaches"]
        return f"{text}; breach {breaches}, {self._failure_limit} allowed" if breaches else text
