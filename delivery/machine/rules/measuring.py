"""What a tick says: whether the stage goes on, holds, passes or is taken back."""

from collections.abc import Mapping
from dataclasses import dataclass

from delivery.machine import baseline, holds, path
from delivery.machine.deadlines import left
from delivery.machine.rules.common import NOTHING, Events, moment, revert
from delivery.model.context import Context
from delivery.model.event import Cause, CauseKind, HoldLifted, Phase, StagePassed, VerdictChanged
from delivery.model.hold import HoldKind
from delivery.model.ids import MINUTE, GateId, Micros
from delivery.model.plan import GateSpec, LowTraffic, Require, Stage
from delivery.model.release import Release
from delivery.model.signal import Measured
from delivery.model.verdict import Judgement, Verdict

UNMEASURED = "the stage's deadline came before its bake was measured"


@dataclass(frozen=True, slots=True)
class Reading:
    """A tick beside the stage that it is about. `judgements` are those of the stage's own gates.

    `blocking` are the stage's gates that may stop it or take it back; the others are for people.
    """

    release: Release
    stage: Stage
    tick: Measured
    judgements: tuple[Judgement, ...]
    blocking: tuple[GateSpec, ...]
    at: Micros

    def verdict(self, spec: GateSpec) -> Verdict:
        """What the gate says; one that says nothing has not decided."""
        return next((one.verdict for one in self.judgements if one.gate == spec.id), Verdict.CONTINUE)

    def saying(self, *verdicts: Verdict) -> tuple[GateId, ...]:
        """Blocking gates that say one of these."""
        return tuple(spec.id for spec in self.blocking if self.verdict(spec) in verdicts)

    @property
    def failed(self) -> Judgement | None:
        """A verdict that takes the release back."""
        failing = self.saying(Verdict.FAIL)
        return next((one for one in self.judgements if one.gate in failing), None)

    @property
    def enough(self) -> bool:
        """Whether the candidate has had the requests that the stage asks for."""
        return self.tick.requests >= self.stage.min_requests

    @property
    def late(self) -> bool:
        """Whether the stage's deadline is over: nothing more is waited for."""
        return left(self.release, self.at) == 0

    @property
    def baked(self) -> bool:
        """Bake is measured, confirmed time; where people chose to go on without data, time since the confirmation."""
        chosen = HoldKind.NO_DATA in self.release.waived
        lasted = self.at - self.release.confirmed_at if chosen else self.tick.baked
        return lasted >= self.stage.bake

    @property
    def unmeasured(self) -> bool:
        """Whether the deadline is over and the stage could not be measured for as long as its bake, gates or not."""
        blind = bool(self.saying(Verdict.NO_DATA))
        return self.late and not self.baked and self.release.passed < self.release.stage and not blind

    @property
    def ends_early(self) -> bool:
        """Whether every blocking gate has shown that the candidate is no worse.

        At 100 percent nothing is gained by going on sooner: the bake there is time in which people can still abort.
        """
        below = self.stage.traffic.weight < 100
        return below and bool(self.blocking) and len(self.saying(Verdict.PASS)) == len(self.blocking)

    @property
    def doubted(self) -> bool:
        """Whether what was measured is not what the stage was to be; in this tick counts, too. A stage that is to begin
        anew with its copy of stable was measured without one.
        """
        misled = bool(self.divided_otherwise) and HoldKind.SPLIT_MISMATCH not in self.release.waived
        return misled or holds.doubted(self.release) or baseline.returns(self.release)

    @property
    def divided_otherwise(self) -> str:
        """How requests were not divided as configured; nothing where the route is left as somebody else divided it."""
        return "" if path.left_alone(self.release) else self.tick.split

    @property
    def undecided(self) -> tuple[GateId, ...]:
        """Gates without which the stage cannot pass: those that must pass and have not, those that cannot say."""
        must = tuple(spec.id for spec in self.blocking if spec.require is Require.PASS)
        passed = self.saying(Verdict.PASS)
        unsure = self.saying(Verdict.INCONCLUSIVE)
        return tuple(dict.fromkeys((*(gate for gate in must if gate not in passed), *unsure)))


def measured(release: Release, signal: Measured, context: Context) -> Events:
    """A tick of the live traffic. One that was taken under another traffic says nothing about this one."""
    if signal.dseq != release.dseq or release.confirmed != release.dseq:
        return NOTHING
    stage = release.plan.stages[release.stage]
    own = tuple(one for one in signal.judgements if one.gate in stage.gates)
    blocking = tuple(spec for spec in map(release.plan.gate, stage.gates) if spec.blocking)
    reading = Reading(release, stage, signal, own, blocking, moment(release, context))
    changed = _changed_verdicts(reading)
    if reading.failed is not None:
        cause = Cause(CauseKind.GATE_FAILED, judgement=reading.failed)
        return (*changed, *revert(release, reading.at, cause, Phase.ROLLED_BACK))
    wanting = _wanting(reading)
    return (*changed, *_divided(reading), *_hold_changes(reading, wanting), *_passed(reading, wanting))


def _divided(reading: Reading) -> Events:
    """Requests that are not divided as configured hold: the candidate is not where it is believed to be.

    They take nobody back. Where a person goes on nevertheless, that is for this stage.
    """
    release, found = reading.release, reading.divided_otherwise
    held = release.held(HoldKind.SPLIT_MISMATCH)
    if held and not found:
        return (HoldLifted(at=reading.at, kind=HoldKind.SPLIT_MISMATCH),)
    if not found or held or HoldKind.SPLIT_MISMATCH in release.waived:
        return NOTHING
    return (holds.placed(HoldKind.SPLIT_MISMATCH, reading.at, found),)


def _changed_verdicts(reading: Reading) -> Events:
    """Said only where a gate's verdict is another one; a gate of which nothing was said yet is at `continue`."""
    known = reading.release.verdicts
    return tuple(
        VerdictChanged(at=reading.at, judgement=one, tick=reading.tick.tick, evidence=reading.tick.evidence)
        for one in reading.judgements
        if one.verdict is not (known[one.gate].verdict if one.gate in known else Verdict.CONTINUE)
    )


def _wanting(reading: Reading) -> Mapping[HoldKind, str]:
    """What is missing for the stage to pass, as the hold that it would be, with its detail. No data: only that."""
    if blind := reading.saying(Verdict.NO_DATA):
        return {HoldKind.NO_DATA: ", ".join(_outlook(reading, gate) for gate in blind)}
    if reading.unmeasured:
        return {HoldKind.NO_DATA: f"{UNMEASURED}: {reading.tick.unread}" if reading.tick.unread else UNMEASURED}
    found: dict[HoldKind, str] = {}
    advances = reading.late and reading.stage.low_traffic is LowTraffic.ADVANCE
    if not reading.enough and not advances:
        found[HoldKind.LOW_TRAFFIC] = _too_few(reading)
    if undecided := reading.undecided:
        found[HoldKind.INCONCLUSIVE] = ", ".join(_outlook(reading, gate) for gate in undecided)
    return found


def _too_few(reading: Reading) -> str:
    """How many requests there were, and how long the rest takes if they go on coming like this."""
    seen, wanted = reading.tick.requests, reading.stage.min_requests
    text = f"{seen} of {wanted} requests"
    if not seen:
        return text
    left = reading.tick.baked * (wanted - seen) // seen
    return f"{text}, the rest takes about {max(1, round(left / MINUTE))} more min at this rate"


def _outlook(reading: Reading, gate: GateId) -> str:
    """The gate, with what it says of its own waiting."""
    detail = next((one.detail for one in reading.judgements if one.gate == gate), "")
    return f"{gate} ({detail})" if detail else gate


def _hold_changes(reading: Reading, wanting: Mapping[HoldKind, str]) -> Events:
    """Missing data holds at once, also a stage that passed. Requests and verdicts are waited for until the deadline.

    A hold that stays keeps its limit; one whose condition ended is lifted. A stage that could not be measured long
    enough has no limit: that may be our own doing, so it takes nobody back, and people are called at once.
    """
    release, at = reading.release, reading.at
    waiting = release.passed < release.stage and reading.late
    due = {
        kind: detail
        for kind, detail in wanting.items()
        if kind not in release.waived and (waiting or kind is HoldKind.NO_DATA)
    }
    until = Micros(at + release.plan.hold_limit)
    over = (HoldLifted(at=at, kind=kind) for kind in holds.MEASURED if release.held(kind) and kind not in due)
    new = (
        holds.placed(kind, at, detail, until=None if reading.unmeasured and kind is HoldKind.NO_DATA else until)
        for kind, detail in due.items()
        if not release.held(kind)
    )
    return (*over, *new)


def _passed(reading: Reading, wanting: Mapping[HoldKind, str]) -> Events:
    """The stage passes once: nothing is missing that nobody waived, and what was measured is what was meant."""
    release, tick = reading.release, reading.tick
    missing = any(kind not in release.waived for kind in wanting)
    done = reading.baked or reading.ends_early
    if release.passed >= release.stage or missing or not done or reading.doubted:
        return NOTHING
    return (
        StagePassed(
            at=reading.at,
            stage=release.stage,
            why=_why(reading, wanting),
            baked=tick.baked,
            requests=tick.requests,
            first_tick=tick.first_tick,
            last_tick=tick.tick,
            evidence=tick.evidence,
            judgements=reading.judgements,
        ),
    )


def _why(reading: Reading, wanting: Mapping[HoldKind, str]) -> str:
    if wanting:
        return "waived"
    if not reading.enough:
        return "low_traffic"
    return "baked" if reading.baked else "passed"
