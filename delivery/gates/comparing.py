"""The gate behind the kinds `ratio` and `latency`: candidate against stable, and perhaps against an objective."""

import math
from dataclasses import dataclass
from typing import Any

from delivery.gates import clauses, evalue, sources
from delivery.gates.comparison import Comparison, Window
from delivery.gates.gate import PATIENCE, State
from delivery.gates.measure import What, events, lacking, unmeasured
from delivery.gates.objective import Objective
from delivery.model.ids import Micros
from delivery.model.plan import GateSpec
from delivery.model.verdict import Judgement, Side, Tick, Verdict

BETA = 0.05
"""The chance that a candidate which is as bad as the margin gets a PASS in a stage."""
LEAST_BAD = 3
"""Bad events of the candidate before it can fail: fewer may be one unlucky user."""
_FORM = 3
"""Of the state: one of an older form is begun anew, which forgets evidence and never invents any."""
_ALONE = 100
"""Where stable has less than one in so many requests of a stage there is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`what` has the bad events that are compared, each with a test of its own; over several E is the mean.

    `worse_than`, `floor`, `objective`, `no_worse_than` and `dispersion` (None: learned) are r0, p0, another p0, rm and
    phi of docs/gates.md. A stage's first `warm_up` is judged by a wider margin, or where not `judges_cold` not at all.
    """

    what: tuple[What, ...]
    worse_than: float
    floor: float
    objective: float | None
    no_worse_than: float | None
    min_requests: int
    dispersion: float | None
    warm_up: int
    judges_cold: bool


class ComparingGate:
    """FAIL: worse than stable by more than allowed, and above the floor; or above the objective. PASS: shown not to be.

    The objective is a test of its own: it halves the share of the false-rollback budget.
    """

    def __init__(self, spec: GateSpec, settings: Settings, alpha: float, stages: int) -> None:
        self._spec, self._settings, self._stages = spec, settings, stages
        self._alpha = alpha if settings.objective is None else alpha / 2
        warms = settings.judges_cold and settings.warm_up > 0
        self._against = Comparison(
            settings.worse_than, settings.floor, settings.no_worse_than, settings.dispersion, stages, warms=warms
        )
        self._objective = None if settings.objective is None else Objective(settings.objective, stages, warms=warms)

    def start(self, before: State | None = None) -> State:
        known: list[State | None] = [None] * len(self._settings.what)
        if before and before.get("form") == _FORM and len(before["against"]) == len(known):
            known = before["against"]
        state = {
            "form": _FORM, "stage": -1, "starts": 0, "since": 0, "spent": 0, "lasted": 0,
            "blank": 0, "seen": 0, "paired": 0, "beside": 0, "why": "", "down": False, "failed": None, "after": 0,
            "against": [self._against.start(one) for one in known], "sources": sources.start(),
        }  # fmt: skip
        return {**state, "objective": self._objective.start()} if self._objective else state

    def add(self, state: State, tick: Tick) -> State:
        if state.get("form") != _FORM:
            state = self.start()
        if tick.stage != state["stage"]:
            state = self._begin(state, tick)
        cold = tick.start < state["since"] + self._settings.warm_up
        windows = [_window(tick, what, cold) for what in self._settings.what] if tick.complete else []
        if not windows or None in windows:
            lacks = self._settings.what[windows.index(None)] if windows else None
            return {**state, "blank": state["blank"] + 1, "why": lacking(lacks, tick) if windows else unmeasured(tick)}
        return self._added(state, tick, [window for window in windows if window is not None])

    def verdict(self, state: State) -> Verdict:
        if state["failed"] is not None:
            return Verdict.FAIL
        if state["blank"] >= PATIENCE:
            return Verdict.NO_DATA
        if self._shown(state) >= -math.log(BETA) and state["seen"] >= max(1, self._settings.min_requests):
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
            detail=clauses.joined(self._clauses(state, verdict, worst)),
            lasted=Micros(state["after"]) if verdict is Verdict.FAIL else None,
        )

    def _begin(self, state: State, tick: Tick) -> dict[str, Any]:
        starts = state["starts"] + 1
        after = {
            **state, "stage": tick.stage, "starts": starts, "since": tick.start,
            "spent": 0, "blank": 0, "seen": 0, "paired": 0, "beside": 0,
            "against": [self._against.begin(against, starts) for against in state["against"]],
        }  # fmt: skip
        if self._objective:
            after["objective"] = self._objective.begin(state["objective"], starts)
        return after

    def _added(self, state: State, tick: Tick, windows: list[Window]) -> State:
        seen, took = state["seen"] + windows[0].n, max(0, tick.end - tick.start)
        after = {
            **state, "seen": seen, "why": "",
            "down": bool(tick.stable_down), "blank": 0 if seen else state["blank"] + 1,
            "spent": state["spent"] + took, "lasted": state["lasted"] + took,
            "sources": sources.add(state["sources"], tick.candidate),
        }  # fmt: skip
        if not tick.stable_down:
            after |= {"paired": state["paired"] + windows[0].n, "beside": state["beside"] + windows[0].m}
            after["against"] = [
                self._compared(against, window) for against, window in zip(state["against"], windows, strict=True)
            ]
        if self._objective and (self._settings.judges_cold or not windows[0].cold):
            phi = self._against.phi(state["against"][0])
            after["objective"] = self._objective.add(state["objective"], windows[0], phi)
        if after["failed"] is None and (failed := self._failed(after)):
            after |= {"failed": failed, "after": after["lasted"]}
        return after

    def _compared(self, against: State, window: Window) -> State:
        if window.cold and not self._settings.judges_cold:
            return self._against.learn(against, window)
        return self._against.add(against, window)

    def _failed(self, state: State) -> str | None:
        """Which test has failed by now."""
        enough, waiting = -math.log(self._alpha), self._waiting(state)
        tests = [*state["against"], state["objective"]] if self._objective else state["against"]
        if all(evalue.most([*test["worse"], *test["cold"]]) < enough for test in tests):
            return None
        if self._objective and state["objective"]["x"] >= LEAST_BAD:
            above = self._objective.worse(state["objective"], waiting)
            if above >= enough:
                return "objective"
        if state["against"][self._worst(state)]["x"] < LEAST_BAD:
            return None
        worse = evalue.log_mean([self._against.worse(against, waiting) for against in state["against"]])
        above = evalue.log_mean([self._against.above_floor(against, waiting) for against in state["against"]])
        return "ratio" if worse >= enough and above >= enough else None

    def _shown(self, state: State) -> float:
        """Log of the least evidence, of all that a PASS needs, that the candidate is no worse."""
        tests = [] if self._alone(state) else [self._against.better(against) for against in state["against"]]
        if self._objective:
            tests.append(self._objective.better(state["objective"]))
        return min(tests) if tests else -math.inf

    def _clauses(self, state: State, verdict: Verdict, worst: int) -> list[str]:
        settings, what = self._settings, self._settings.what[worst]
        if verdict is Verdict.NO_DATA:
            return [clauses.missing(state.get("why", ""), state["seen"])]
        slower = [] if what is None or isinstance(what, str) else [f"slower than {what} ms"]
        if verdict is Verdict.FAIL:
            above = clauses.above(state["objective"], settings.objective) if state["failed"] == "objective" else ""
            return [*slower, above, sources.concentrated(state["sources"]) if what is None else ""]
        if verdict is Verdict.PASS:
            return slower
        return [*slower, self._wanting(state)]

    def _wanting(self, state: State) -> str:
        """Why there is no verdict yet, and when one may be had."""
        if state["down"]:
            return "stable has no ready instance to compare with"
        if self._alone(state) and self._settings.objective is None:
            return "has no requests of stable to compare with"
        if state["seen"] < self._settings.min_requests:
            return f"needs {self._settings.min_requests} requests in this stage, has {state['seen']}"
        return clauses.outlook(self._shown(state) / -math.log(BETA), state["spent"])

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
        """Whether the candidate has practically all requests of the stage, beside a stable that could answer."""
        paired, beside = state["paired"], state["beside"]
        return bool(paired and beside * _ALONE < paired + beside)


def _window(tick: Tick, what: What, cold: bool) -> Window | None:
    own, other = events(tick.candidate, what), events(tick.stable, what)
    return None if own is None or other is None else Window(*own, *other, cold)
