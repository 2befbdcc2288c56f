"""Gate `conversion`: a share of users on either side, for people who compare variants. It decides nothing.

    buys: {conversion: checkout_paid}

The measure counts users and those among them who did it. Each side's share has an interval that may be looked at after
every tick: with probability 95 percent it never leaves out the true one.
"""

from collections.abc import Mapping
from typing import Any

from delivery.gates import proportion
from delivery.gates.gate import PATIENCE, Gate, State
from delivery.gates.measure import events, lacking, unmeasured
from delivery.model.fields import Fields
from delivery.model.plan import GateSpec, Require
from delivery.model.scalars import pattern
from delivery.model.verdict import Judgement, Side, Tick, Verdict

BLOCKS = False
COMPARES = False
MEASURE = pattern("[a-z][a-z0-9_]{0,62}", "the name of a measure of the service's own, such as checkout_paid")
ALPHA = 0.05


def parse(fields: Fields) -> Mapping[str, object]:
    """Reads `conversion`, the name of the measure."""
    if fields.flag("blocking", False):
        fields.wrong("blocking", "is true, and a conversion decides nothing", "blocking: false")
    if fields.choice("require", Require, Require.NO_FAIL) is Require.PASS:
        fields.wrong("require", "asks for a pass, which a conversion never says", Require.NO_FAIL.value)
    return {"measure": fields.get("conversion", MEASURE)}


def build(spec: GateSpec, alpha: float, stages: int) -> Gate:
    return ConversionGate(spec)


def at_full(spec: GateSpec) -> bool:
    return True


class ConversionGate:
    """Sums over the whole release: users are drawn once."""

    def __init__(self, spec: GateSpec) -> None:
        params: Mapping[str, Any] = spec.params
        self._spec = spec
        self._measure: str = params["measure"]

    def start(self, before: State | None = None) -> State:
        return {"blank": 0, "why": "", "sides": [0, 0, 0, 0]}

    def add(self, state: State, tick: Tick) -> State:
        own, other = events(tick.candidate, self._measure), events(tick.stable, self._measure)
        if not tick.complete or (own is None and other is None):
            why = lacking(self._measure, tick) if tick.complete else unmeasured(tick)
            return {**state, "blank": state["blank"] + 1, "why": why}
        more = (*(own or (0, 0)), *(other or (0, 0)))
        sides = [known + new for known, new in zip(state["sides"], more, strict=True)]
        return {"blank": 0, "why": "", "sides": sides}

    def verdict(self, state: State) -> Verdict:
        return Verdict.NO_DATA if state["blank"] >= PATIENCE else Verdict.CONTINUE

    def judge(self, state: State) -> Judgement:
        x, n, y, m = state["sides"]
        verdict = self.verdict(state)
        detail = f"{_share(x, n)}, stable's {_share(y, m)}"
        if verdict is Verdict.NO_DATA:
            detail = state.get("why") or "no complete measurement"
        return Judgement(self._spec.id, verdict, Side(x, n), Side(y, m), blocking=self._spec.blocking, detail=detail)


def _share(events: int, of: int) -> str:
    """`4.1 % (3.4 to 4.9)`."""
    if not of:
        return "nobody yet"
    low, high = proportion.bounds(events, of, ALPHA)
    return f"{100 * events / of:.3g} % ({100 * low:.3g} to {100 * high:.3g})"
