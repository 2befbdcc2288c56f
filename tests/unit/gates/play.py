"""Gates from the words of a service file, and ticks to feed them with."""

from collections.abc import Iterable, Mapping

from delivery.gates import conversion, gauge, latency, ratio, threshold
from delivery.gates.gate import Gate, Kind, State
from delivery.model.fields import Fields
from delivery.model.ids import SECOND, GateId, Micros
from delivery.model.plan import GateSpec
from delivery.model.verdict import Baseline, Counts, Judgement, Tick, UnreadSide

KINDS: Mapping[str, Kind] = {
    "ratio": ratio,
    "latency": latency,
    "threshold": threshold,
    "gauge": gauge,
    "conversion": conversion,
}
TICK = 15 * SECOND
ERRORS = {"ratio": "http_errors", "dispersion": 1.0}
LATENCY = {"latency": "http_duration", "above": ["250ms", "500ms"], "dispersion": 1.0, "warm_up": "0s"}
SUCCESS = {"threshold": "http_success_rate", "at_least": "99%", "over": "1m", "min_requests": 100}
Slow = tuple[tuple[int, int], ...]


def spec(words: Mapping[str, object], gate: str = "errors") -> GateSpec:
    kind = next(kind for kind in KINDS if kind in words)
    fields = Fields(words)
    previous = KINDS[kind].COMPARES and fields.choice("baseline", Baseline, Baseline.STABLE) is Baseline.PREVIOUS
    params = KINDS[kind].parse(fields)
    fields.check()
    return GateSpec(GateId(gate), kind, params, baseline=Baseline.PREVIOUS if previous else None)


def gate(words: Mapping[str, object], alpha: float = 0.05, stages: int = 1) -> Gate:
    made = spec(words)
    return KINDS[made.kind].build(made, alpha, stages)


def tick(
    candidate: tuple[int, int] = (0, 0),
    stable: tuple[int, int] = (0, 0),
    *,
    stage: int = 0,
    complete: bool = True,
    unread: tuple[UnreadSide, ...] | None = None,
    slow: tuple[Slow, Slow] = ((), ()),
    start: int = 0,
    lasts: int = TICK,
    stable_down: bool | None = None,
) -> Tick:
    """A tick in which each side had so many bad of so many requests."""
    (x, n), (y, m) = candidate, stable
    sides = Counts(n, x, slow[0]), Counts(m, y, slow[1])
    return Tick(1, stage, 3, Micros(start), Micros(start + lasts), *sides, complete, stable_down, unread)


def feed(gate: Gate, ticks: Iterable[Tick], state: State | None = None) -> State:
    state = gate.start() if state is None else state
    for each in ticks:
        state = gate.add(state, each)
    return state


def judged(gate: Gate, ticks: Iterable[Tick]) -> Judgement:
    return gate.judge(feed(gate, ticks))
