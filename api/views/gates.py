"""Judgements, ticks and counts as numbers and sentences."""

from collections.abc import Sequence

from api.schemas.release import CountsOut, GateOut, TickOut, UnreadOut, VerdictOut
from api.services import Judge
from delivery.model import event as events
from delivery.model.event import Event
from delivery.model.plan import Stage
from delivery.model.release import Release
from delivery.model.verdict import Counts, Judgement, Side, Tick
from delivery.ports.rows import Measuring
from delivery.wording.traffic import place
from delivery.wording.units import instant
from delivery.wording.verdict import finding


def gate(judgement: Judgement) -> GateOut:
    return GateOut(
        gate=judgement.gate,
        verdict=judgement.verdict.value,
        ratio=judgement.ratio,
        interval=judgement.interval,
        candidate=_side(judgement.candidate),
        stable=_side(judgement.stable),
        blocking=judgement.blocking,
        text=finding(judgement),
    )


def _side(side: Side) -> tuple[int, int]:
    return (side.bad, side.total)


def newest(judge: Judge, measuring: Measuring | None, release: Release) -> tuple[Judgement, ...]:
    """What the gates say as of the last tick: their events say only when a verdict became another one."""
    if measuring is None:
        return ()
    try:
        return judge(measuring, release)
    except Exception:  # a gate that cannot read its state: its target is quarantined, and that is to be seen here
        return ()


def counts(one: Counts) -> CountsOut:
    slow = {str(bound): count for bound, count in one.slow}
    return CountsOut(requests=one.requests, errors=one.errors, slow=slow, lacks=dict(one.lacks or ()))


def tick(one: Tick) -> TickOut:
    return TickOut(
        number=one.number,
        stage=one.stage,
        start=instant(one.start),
        end=instant(one.end),
        candidate=counts(one.candidate),
        stable=counts(one.stable),
        complete=one.complete,
        unread=[UnreadOut(side=each.side, why=each.why, text=each.text) for each in one.unread or ()],
        earlier=counts(one.earlier.counts) if one.earlier else None,
        earlier_end=instant(one.earlier.end) if one.earlier else None,
        fresh=counts(one.copy) if one.copy is not None else None,
    )


def verdicts(history: Sequence[tuple[int, Event]], stages: tuple[Stage, ...]) -> list[VerdictOut]:
    """Every verdict that changed, in order, with the stage that it was found in."""
    found, stage = [], -1
    for _, event in history:
        if isinstance(event, events.StageEntered):
            stage = event.stage
        elif isinstance(event, events.VerdictChanged):
            found.append(
                VerdictOut(
                    **gate(event.judgement).model_dump(),
                    at=instant(event.at),
                    stage=place(stage, stages),
                    tick=event.tick,
                    evidence=event.evidence,
                )
            )
    return found
