"""Ticks: raw counters of both versions -> counts of one window -> gates -> the signal Measured.

A tick changes `Measuring` in place and makes no event. The first look at counters that are no older than the stage's
confirmation only takes them to start from, so that no window began before the stage was confirmed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from delivery.engine import counting, record
from delivery.engine.counting import Samples
from delivery.gates import split
from delivery.gates.gate import Gate
from delivery.gates.measure import unmeasured
from delivery.machine import backends
from delivery.model.codec import canon, link
from delivery.model.effect import Measure
from delivery.model.frozen import replace
from delivery.model.hold import HoldKind
from delivery.model.ids import MINUTE, GateId, Micros
from delivery.model.plan import GateSpec, Plan, Stage
from delivery.model.release import Release
from delivery.model.series import Unread
from delivery.model.signal import Measured
from delivery.model.verdict import Earlier, Judgement, Tick, UnreadSide, Verdict
from delivery.model.version import Lane
from delivery.ports.metrics import Subject
from delivery.ports.rows import Measuring, Segment

Build = Callable[[GateSpec, float, int], Gate]
PLANS_KEPT = 16_384
SEGMENT = 8
"""Ticks kept beside the live state, which every tick writes anew, before they move to a segment."""
CAP = 2  # a tick counts at most this many intervals: a clock that jumps an hour passes no stage
CATCHES_UP = Micros(5 * MINUTE)  # how long counters may be older than their stage before that is told
SPLIT, SPLIT_OF_COPY = "%split", "%split_of_copy"  # among the gates' states: no gate is called so


def due(measuring: Measuring | None, effect: Measure, release: Release, now: Micros) -> bool:
    """Whether the next tick may be taken; at once for a stage that has none yet, or after a clock that went back."""
    if measuring is None or (measuring.stage, measuring.dseq) != (effect.stage, effect.dseq):
        return True
    return not measuring.at <= now < measuring.at + release.plan.tick


def subjects(release: Release, service: str) -> tuple[Subject | None, ...]:
    """What is counted: candidate and stable, in the lanes in which they get comparable requests, and a copy of stable
    while it has a share."""
    if release.bound is None:
        raise ValueError(f"{release.id} is measured before its versions are bound")
    mirror = release.plan.stages[release.stage].traffic.mirror
    candidate_lane = Lane.SHADOW if mirror else Lane.PLAIN
    stable_lane = Lane.SHADOWED if mirror and mirror.methods else Lane.PLAIN
    at = backends.stable(release, service)
    stable = Subject(release.target, at, stable_lane) if at is not None else None
    sides = (Subject(release.target, backends.candidate(release, service), candidate_lane), stable)
    copy = backends.copy(release, service) if release.compared else None
    return (*sides, Subject(release.target, copy)) if copy is not None else sides


class Measurer:
    """Holds the gates of plans, built once per plan."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._gates: dict[str, Mapping[str, Gate]] = {}

    def gates(self, release: Release) -> Mapping[str, Gate]:
        """Every gate of the release's plan, by id; the false-rollback budget is divided over the blocking ones."""
        if release.plan_digest not in self._gates:
            if len(self._gates) >= PLANS_KEPT:
                self._gates.clear()
            self._gates[release.plan_digest] = self._built(release.plan)
        return self._gates[release.plan_digest]

    def _built(self, plan: Plan) -> Mapping[str, Gate]:
        share = plan.alpha / max(1, sum(spec.blocking for spec in plan.gates))
        return {spec.id: self._build(spec, share, len(plan.stages)) for spec in plan.gates}

    def begin(self, release: Release, earlier: Mapping[str, Any]) -> Measuring:
        """Nothing measured yet. `earlier` has where gates ended in the release before."""
        gates = {gate_id: gate.start(earlier.get(gate_id)) for gate_id, gate in self.gates(release).items()}
        return Measuring(release.id, gates={**gates, **record.begin(release.plan, release.bound, earlier)})

    def look(
        self, measuring: Measuring, release: Release, effect: Measure, samples: Samples, now: Micros
    ) -> tuple[Measuring, Measured | None, tuple[Segment, ...]]:
        """One look, asked for at `now`. No signal where it only took, or waits for, the counters to start from."""
        if (measuring.stage, measuring.dseq) != (effect.stage, effect.dseq):
            measuring = _cleared(measuring, effect, now)
        if not measuring.base and counting.began(samples, _lasts(release, now)):
            return replace(measuring, at=now, base=counting.carried({}, samples)), None, ()
        if not measuring.base and _catches_up(release, samples, now):
            return replace(measuring, at=now), None, ()
        return self._tick(measuring, release, samples, now)

    def _tick(
        self, measuring: Measuring, release: Release, samples: Samples, now: Micros
    ) -> tuple[Measuring, Measured, tuple[Segment, ...]]:
        before = counting.stored(measuring.base)
        candidate, stable, copy = counting.counted(before, samples)
        missing = counting.unread(before, samples, _lasts(release, now))
        complete = bool(before) and not missing
        number = measuring.tick + 1
        down = release.held(HoldKind.STABLE_UNREADY) or None
        states: dict[str, Any] = dict(measuring.gates)
        stage, gates = _stage(release), self.gates(release)
        earlier = _earlier(states, release) if complete else None
        tick = Tick(
            number, measuring.stage, measuring.dseq, measuring.at, now, candidate, stable, complete, down,
            tuple(UnreadSide(side, one.why.value, one.text) for side, one in missing) or None, earlier, copy,
        )  # fmt: skip
        for gate_id in stage.gates:
            state = states[gate_id] if gate_id in states else gates[gate_id].start()
            states[gate_id] = gates[gate_id].add(state, tick)
        divided = _divided(states, tick, stage)
        if record.RECORD in states:
            states[record.RECORD] = record.add(states[record.RECORD], release.plan, stage, release.bound, tick)
        lasted = min(max(0, now - measuring.at), CAP * release.plan.tick) if complete else 0
        after = replace(
            measuring,
            tick=number,
            at=now,
            baked=Micros(measuring.baked + lasted),
            requests=measuring.requests + candidate.requests,
            base=_base(measuring, before, samples),
            gates=states,
            ticks=(*measuring.ticks, tick),
            evidence=link(measuring.evidence, canon(tick)),
            totals=(counting.total(measuring.totals[0], candidate), counting.total(measuring.totals[1], stable)),
        )
        after, segments = _segmented(after)
        signal = replace(_signal(after, self._judged(after, release)), split=divided, unread=unmeasured(tick))
        return after, signal, segments

    def _judged(self, measuring: Measuring, release: Release) -> list[Judgement]:
        """The stage's gates. Numbers take time, so they are worked out only where the verdict is not the one that is
        known, and for all where this tick may end the stage: then they go into history.
        """
        gates, known = self.gates(release), release.verdicts
        states: Mapping[str, Any] = measuring.gates
        verdicts = {gate: gates[gate].verdict(states[gate]) for gate in _stage(release).gates}
        ends = _may_end(measuring, release, verdicts)
        found: list[Judgement] = []
        for gate, verdict in verdicts.items():
            before = known.get(gate)
            if ends or verdict is not (before.verdict if before else Verdict.CONTINUE):
                found.append(gates[gate].judge(states[gate]))
            elif before is not None:
                found.append(before)
        return found

    def judgements(self, measuring: Measuring, release: Release) -> tuple[Judgement, ...]:
        """What the gates of the stage that was measured last say by now, with their numbers, for people."""
        if not 0 <= measuring.stage < len(release.plan.stages) or measuring.tick < measuring.first_tick:
            return ()
        gates, states = self.gates(release), dict[str, Any](measuring.gates)
        return tuple(gates[gate].judge(states[gate]) for gate in release.plan.stages[measuring.stage].gates)


def _may_end(measuring: Measuring, release: Release, verdicts: Mapping[GateId, Verdict]) -> bool:
    """Whether the stage may pass by this tick. Whether it does is for the machine to say."""
    stage = _stage(release)
    if release.passed >= release.stage:
        return False
    if HoldKind.NO_DATA in release.waived or measuring.baked >= stage.bake:  # waived: its bake is not measured time
        return True
    return all(one is Verdict.PASS or not release.plan.gate(gate).blocking for gate, one in verdicts.items())


def _divided(states: dict[str, Any], tick: Tick, stage: Stage) -> str:
    """What is wrong with how requests were divided in this stage; its state is kept beside those of the gates."""
    beside = tick.copy.requests if tick.copy is not None else 0
    candidate = (tick.candidate.requests, tick.others)
    told = _as_configured(states, SPLIT, tick, candidate, split.expected(stage.traffic))
    copy = (beside, tick.candidate.requests + tick.stable.requests)
    share = split.of_copy(stage.traffic) if tick.copy is not None else None
    return told or _as_configured(states, SPLIT_OF_COPY, tick, copy, share, split.COPY)


def _as_configured(
    states: dict[str, Any],
    key: str,
    tick: Tick,
    requests: tuple[int, int],
    share: float | None,
    whose: str = split.CANDIDATE,
) -> str:
    """One side against all others."""
    if share is None:
        states.pop(key, None)
        return ""
    state = states[key] if key in states and _same_traffic(states[key], tick) else _undivided(tick)
    if tick.complete and not tick.stable_down:
        state = {**state, **split.add(state, *requests, share)}
    states[key] = state
    return split.told(state, share, whose)


def _earlier(states: dict[str, Any], release: Release) -> Earlier | None:
    """What stable did before, for the next tick; the record notes that it was used."""
    if record.RECORD not in states:
        return None
    states[record.RECORD], found = record.earlier(states[record.RECORD], release.plan, _stage(release), release.bound)
    return found


def _undivided(tick: Tick) -> dict[str, Any]:
    return {**split.start(), "stage": tick.stage, "dseq": tick.dseq}


def _same_traffic(state: Mapping[str, Any], tick: Tick) -> bool:
    """Whether it is about the traffic that the tick has seen: a stage may be entered once more. What the version
    before stored does not say by which number.
    """
    return bool(state["stage"] == tick.stage and state.get("dseq", tick.dseq) == tick.dseq)


def _cleared(measuring: Measuring, effect: Measure, now: Micros) -> Measuring:
    """Ready for a new stage: the gates' states go on, the stage's own sums start afresh."""
    return replace(
        measuring,
        stage=effect.stage,
        dseq=effect.dseq,
        at=now,
        baked=Micros(0),
        requests=0,
        first_tick=measuring.tick + 1,
        base={},
    )


def _catches_up(release: Release, samples: Samples, now: Micros) -> bool:
    """Whether the counters are only older than the stage, and not for so long that people have to know."""
    read = not any(isinstance(sample, Unread) for sample in samples)
    return read and _lasts(release, now) < CATCHES_UP


def _lasts(release: Release, now: Micros) -> Micros:
    """For how long the stage is proven."""
    return Micros(now - release.confirmed_at)


def _base(measuring: Measuring, before: counting.Base, samples: Samples) -> Mapping[str, object]:
    """What the next delta starts from: what it was where a side could not be read."""
    if not before or any(isinstance(sample, Unread) for sample in samples):
        return measuring.base
    return counting.carried(before, samples)


def _stage(release: Release) -> Stage:
    return release.plan.stages[release.stage]


def _signal(measuring: Measuring, judgements: Sequence[Judgement]) -> Measured:
    return Measured(
        dseq=measuring.dseq,
        tick=measuring.tick,
        baked=measuring.baked,
        requests=measuring.requests,
        judgements=tuple(judgements),
        first_tick=measuring.first_tick,
        evidence=measuring.evidence,
    )


def _segmented(measuring: Measuring) -> tuple[Measuring, tuple[Segment, ...]]:
    if len(measuring.ticks) < SEGMENT:
        return measuring, ()
    full = Segment(measuring.release, measuring.ticks[0].number, measuring.ticks, measuring.evidence)
    return replace(measuring, ticks=()), (full,)
