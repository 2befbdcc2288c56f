"""The gate behind the kinds `ratio` and `latency`: candidate against stable, and perhaps against an objective."""

import math
from dataclasses import dataclass
from typing import Any

from delivery.gates import evalue
from delivery.gates.comparison import Comparison, Window
from delivery.gates.gate import PATIENCE, State
from delivery.gates.measure import bad_events
from delivery.gates.objective import Objective
from delivery.model.plan import GateSpec
from delivery.model.verdict import Judgement, Side, Tick, Verdict

BETA = 0.05
"""The chance that a candidate which is as bad as the margin gets a PASS in a stage."""
LEAST_BAD = 3
"""Bad events of the candidate before it can fail: fewer may be one unlucky user."""
_ALONE = 100
"""Where stable has less than one in so many requests of a stage there is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`above` has the bounds in milliseconds whose excess is bad; (None,) where errors are.

    `worse_than`, `floor`, `objective`, `no_worse_than` and `dispersion` are r0, p0, another p0, rm and phi of
    docs/gates.md.
    """

    above: tuple[int | None, ...]
    worse_than: float
    floor: float
    objective: float | None
    no_worse_than: float | None
    min_requests: int
    dispersion: float


class ComparingGate:
    """FAIL: worse than stable by more than allowed, and above the floor; or above the objective. PASS: shown not to be.

    The objective is a test of its own: it halves the share of the false-rollback budget.
    """

    def __init__(self, spec: GateSpec, settings: Settings, alpha: float, stages: int) -> None:
        self._spec, self._settings, self._stages = spec, settings, stages
        self._alpha = alpha if settings.objective is None else alpha / 2
        self._against = Comparison(
            settings.worse_than, settings.floor, settings.no_worse_than, settings.dispersion, stages
        )
        self._objective = (
            None if settings.objective is None else Objective(settings.objective, settings.dispersion, stages)
        )

    def start(self) -> State:
        state = {
            "stage": -1, "starts": 0, "blank": 0, "seen": 0, "beside": 0, "lacks": None, "failed": None,
            "against": [self._against.start() for _ in self._settings.above],
        }  # fmt: skip
        return {**state, "objective": self._objective.start()} if self._objective else state

    def add(self, state: State, tick: Tick) -> State:
        if tick.stage != state["stage"]:
            state = self._begin(state, tick.stage)
        windows = [self._window(tick, above) for above in self._settings.above] if tick.complete else []
        if not windows or None in windows:
            lacks = None if not windows else self._settings.above[windows.index(None)]
            return {**state, "blank": state["blank"] + 1, "lacks": lacks}
        return self._added(state, [window for window in windows if window is not None])

    def verdict(self, state: State) -> Verdict:
        if state["failed"] is not None:
            return Verdict.FAIL
        if state["blank"] >= PATIENCE:
            return Verdict.NO_DATA
        enough = -math.log(BETA)
        tests = [] if self._alone(state) else [self._against.better(against) for against in state["against"]]
        if self._objective:
            tests.append(self._objective.better(state["objective"]))
        if tests and min(tests) >= enough and state["seen"] >= max(1, self._settings.min_requests):
            return Verdict.PASS
        return Verdict.CONTINUE

    def judge(self, state: State) -> Judgement:
        worst = self._worst(state)
        against: State = state["against"][worst]
        verdict = self.verdict(state)
        return Judgement(
            gate=self._spec.id,
            verdict=verdict,
            candidate=Side(against["x"], against["n"]),
            stable=Side(against["y"], against["m"]),
            ratio=self._against.ratio(against),
            interval=self._against.interval(against, self._alpha),
            blocking=self._spec.blocking,
            detail=self._detail(state, verdict, worst),
        )

    def _begin(self, state: State, stage: int) -> dict[str, Any]:
        starts = state["starts"] + 1
        after = {
            **state, "stage": stage, "starts": starts, "blank": 0, "seen": 0, "beside": 0,
            "against": [self._against.begin(against, starts) for against in state["against"]],
        }  # fmt: skip
        if self._objective:
            after["objective"] = self._objective.begin(state["objective"], starts)
        return after

    def _window(self, tick: Tick, above: int | None) -> Window | None:
        x, y = bad_events(tick.candidate, above), bad_events(tick.stable, above)
        return None if x is None or y is None else Window(x, tick.candidate.requests, y, tick.stable.requests)

    def _added(self, state: State, windows: list[Window]) -> State:
        seen = state["seen"] + windows[0].n
        after = {
            **state, "seen": seen, "beside": state["beside"] + windows[0].m, "lacks": None,
            "blank": 0 if seen else state["blank"] + 1,
            "against": [
                self._against.add(against, window) for against, window in zip(state["against"], windows, strict=True)
            ],
        }  # fmt: skip
        if self._objective:
            after["objective"] = self._objective.add(state["objective"], windows[0].x, windows[0].n)
        if after["failed"] is None:
            after["failed"] = self._failed(after)
        return after

    def _failed(self, state: State) -> str | None:
        """Which test has failed by now."""
        enough, waiting = -math.log(self._alpha), self._waiting(state)
        tests = [*state["against"], state["objective"]] if self._objective else state["against"]
        if all(evalue.most(test["worse"]) < enough for test in tests):
            return None
        if state["against"][self._worst(state)]["x"] < LEAST_BAD:
            return None
        worse = evalue.log_mean([self._against.worse(against, waiting) for against in state["against"]])
        above = evalue.log_mean([self._against.above_floor(against, waiting) for against in state["against"]])
        if worse >= enough and above >= enough:
            return "ratio"
        if self._objective and self._objective.worse(state["objective"], waiting) >= enough:
            return "objective"
        return None

    def _detail(self, state: State, verdict: Verdict, worst: int) -> str:
        if verdict is Verdict.NO_DATA:
            return self._missing(state)
        against, settings = state["against"][worst], self._settings
        above = settings.above[worst]
        parts = [] if above is None else [f"slower than {above} ms"]
        if state["failed"] == "objective":
            rate = against["x"] / against["n"]
            parts.append(f"{100 * rate:.3g} % of {against['n']}, at most {100 * (settings.objective or 0):g} % wanted")
        elif verdict is Verdict.CONTINUE and self._alone(state) and settings.objective is None:
            parts.append("has no requests of stable to compare with")
        elif verdict is Verdict.CONTINUE and state["seen"] < settings.min_requests:
            parts.append(f"needs {settings.min_requests} requests in this stage, has {state['seen']}")
        return "; ".join(parts)

    def _missing(self, state: State) -> str:
        if state["lacks"] is not None:
            return f"no latency bucket at {state['lacks']} ms"
        return "no complete measurement" if state["seen"] else "no requests of the candidate"

    def _worst(self, state: State) -> int:
        """Which comparison speaks most against the candidate."""
        if len(state["against"]) == 1:
            return 0
        waiting = self._waiting(state)
        evidence = [self._against.worse(against, waiting) for against in state["against"]]
        return evidence.index(max(evidence))

    def _waiting(self, state: State) -> float:
        """The share of the starts whose stage has not begun."""
        starts: int = state["starts"]
        return max(0, self._stages - starts) / self._stages

    def _alone(self, state: State) -> bool:
        """Whether the candidate has practically all requests of the stage."""
        seen, beside = state["seen"], state["beside"]
        return bool(seen and beside * _ALONE < seen + beside)
