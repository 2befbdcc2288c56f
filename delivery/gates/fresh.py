"""A gate against a copy of stable that is as young as the candidate: cold caches and warming up are then on both sides.

    errors: {ratio: http_errors, baseline: fresh}

The gate inside is told the copy's counts as if they were stable's. Without a copy there is nothing to compare with, and
that is no good news of the candidate: never a pass, and soon NO_DATA.
"""

from dataclasses import replace

from delivery.gates.gate import PATIENCE, Gate, State
from delivery.gates.measure import events
from delivery.model.verdict import Baseline, Counts, Judgement, Tick, UnreadSide, Verdict

LEAST = 3
"""Errors that a copy must have before it can be called broken."""
ABSENT = UnreadSide("copy", "no_copy", "no copy of stable is there to compare with")
BROKEN = UnreadSide("copy", "no_copy", "the copy of stable fails most of its requests, and stable does not")


class AgainstFresh:
    """`bare` in the state: how many ticks in a row had no copy to compare with."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def start(self, before: State | None = None) -> State:
        return {"gate": self._gate.start(before.get("gate") if before else None), "bare": 0}

    def add(self, state: State, tick: Tick) -> State:
        wrong = _wrong(tick)
        if tick.complete and wrong is not None:
            tick = replace(tick, complete=False, unread=(wrong,))
        bare = 0 if wrong is None else state["bare"] + 1
        beside = replace(tick, stable=tick.copy or Counts(0, 0), stable_down=None)
        return {**state, "gate": self._gate.add(state["gate"], beside), "bare": bare}

    def verdict(self, state: State) -> Verdict:
        return _checked(self._gate.verdict(state["gate"]), state)

    def judge(self, state: State) -> Judgement:
        found = self._gate.judge(state["gate"])
        verdict = _checked(found.verdict, state)
        if verdict is Verdict.NO_DATA and found.verdict is not verdict:
            found = replace(found, detail=ABSENT.text)
        return replace(found, verdict=verdict, baseline=Baseline.FRESH)


def _checked(verdict: Verdict, state: State) -> Verdict:
    """What was shown of the candidate stays shown against it, and no longer for it."""
    if verdict is Verdict.FAIL or not state["bare"]:
        return verdict
    return Verdict.NO_DATA if state["bare"] >= PATIENCE else Verdict.CONTINUE


def _wrong(tick: Tick) -> UnreadSide | None:
    """Why a tick has no copy that the candidate could be compared with.

    One that cannot be reached any more has its share for a moment still: what fails there is no measure of anything.
    """
    if tick.copy is None:
        return ABSENT
    own, other = events(tick.copy, None) or (0, 0), events(tick.stable, None) or (0, 0)
    broken = own[0] >= LEAST and 2 * own[0] > own[1] and 2 * other[0] <= other[1]
    return BROKEN if broken else None
