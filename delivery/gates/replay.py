"""Stored ticks through a gate again: what it said, and when. The same code as in a release, so the same verdicts."""

from collections.abc import Iterable
from dataclasses import dataclass

from delivery.gates.gate import Gate, State
from delivery.model.ids import Micros
from delivery.model.verdict import Judgement, Tick, Verdict


@dataclass(frozen=True, slots=True)
class Replayed:
    """`ticks` counts those that were looked at, `lasted` is the time in them. `verdicts` has each change with its tick.

    `judgement` is the last one, which is the one that failed where one did.
    """

    judgement: Judgement
    ticks: int
    lasted: Micros
    verdicts: tuple[tuple[int, Verdict], ...]
    final: State

    @property
    def failed(self) -> bool:
        return self.judgement.verdict is Verdict.FAIL

    @property
    def passed(self) -> bool:
        """Whether it ever said PASS."""
        return any(verdict is Verdict.PASS for _, verdict in self.verdicts)


def replay(gate: Gate, ticks: Iterable[Tick], before: State | None = None) -> Replayed:
    """Looks after every tick, in their order, and no further than a FAIL: there a release goes back.

    `before` is where the gate ended in the release before (`Gate.start`); `final` of one release is that of the next.
    """
    state, known, lasted, count = gate.start(before), Verdict.CONTINUE, 0, 0
    verdicts: list[tuple[int, Verdict]] = []
    for tick in ticks:
        state, count = gate.add(state, tick), count + 1
        lasted += max(0, tick.end - tick.start)
        said = gate.verdict(state)
        if said is not known:
            verdicts.append((tick.number, said))
            known = said
        if said is Verdict.FAIL:
            break
    return Replayed(gate.judge(state), count, Micros(lasted), tuple(verdicts), state)
