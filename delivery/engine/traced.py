"""What admissions and calls look like in a trace."""

import re
from dataclasses import replace
from functools import cache

from delivery.engine.answer import Answer, Arrival
from delivery.machine.change import Move
from delivery.model.effect import Effect, WriteTraffic
from delivery.model.event import VerdictChanged
from delivery.model.ids import Micros
from delivery.model.notice import ReleaseRequested
from delivery.model.release import Release
from delivery.model.signal import Measured
from delivery.model.trace import TRACEPARENT
from delivery.ports.telemetry import Kind, Moment, Work

Times = tuple[Micros, Micros]
"""When something began and ended."""


def context(release: Release) -> str:
    """The trace that the release came by; nothing where it came by none."""
    return release.origin.get(TRACEPARENT, "")


def about(release: Release) -> dict[str, str | int]:
    """What a release's spans are found by."""
    service, _, cluster = release.target.rpartition("@")
    return {
        "delivery.service": service,
        "delivery.cluster": cluster,
        "delivery.release": release.id,
        "delivery.stage": release.stage,
        "delivery.dseq": release.dseq,
    }


def admitted(arrival: Arrival, answer: Answer, times: Times) -> Work:
    """An admission: what came in is stored, and whoever works on it takes it up from there."""
    notice = arrival.notice
    facts: dict[str, str | int] = {
        "delivery.source": notice.source,
        "delivery.says": type(notice.says).__name__,
        "delivery.outcome": answer.outcome,
        "delivery.reason": answer.reason,
    }
    if isinstance(notice.says, ReleaseRequested):
        facts["delivery.service"] = notice.says.service
    if answer.release is not None:
        facts["delivery.release"] = answer.release
    return Work("admit delivery", Kind.HANDS_ON, *times, facts)


def call(release: Release, effect: Effect, outcome: str, times: Times, trouble: str = "") -> Work:
    """A call behind a port, for a release."""
    facts = about(release) | {"delivery.outcome": outcome}
    if isinstance(effect, WriteTraffic):
        facts["delivery.weight"] = effect.traffic.weight
    return Work(_words(type(effect).__name__), Kind.CALLS, *times, facts, trouble)


def look(release: Release, effect: Effect, measured: Measured, times: Times) -> Work:
    """The gates' look at a stage."""
    verdicts = " ".join(f"{one.gate}={one.verdict.value}" for one in measured.judgements)
    part = call(release, effect, "measured", times)
    facts = dict(part.facts) | {"delivery.tick": measured.tick, "delivery.verdicts": verdicts}
    return replace(part, facts=facts)


def moment(move: Move, at: Micros) -> Moment:
    """An event of the release's."""
    facts: dict[str, str | int] = {"delivery.seq": move.after.seq}
    if isinstance(move.event, VerdictChanged):
        judgement = move.event.judgement
        facts |= {"delivery.gate": judgement.gate, "delivery.verdict": judgement.verdict.value}
    return Moment(type(move.event).__name__, at, facts)


@cache
def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
