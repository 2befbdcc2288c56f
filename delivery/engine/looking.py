"""Looks at the counters: one call for many turns, and what it means for each of them."""

from collections.abc import Sequence
from functools import partial

from delivery.engine import measure
from delivery.engine.cluster import Cluster
from delivery.engine.measure import Measurer
from delivery.engine.parts import Parts
from delivery.engine.round import Answers, Errand, Look, Part
from delivery.engine.turn import Turn
from delivery.engine.waiting import Room
from delivery.model.release import Release
from delivery.model.signal import Measured, Signal
from delivery.ports.errors import Unavailable
from delivery.ports.metrics import Sample, Subject, Unread, unread
from delivery.ports.slots import Begun


class Looker:
    def __init__(self, parts: Parts, measurer: Measurer) -> None:
        self._ledger = parts.ledger
        self._slots = parts.slots
        self._clock = parts.clock
        self._telemetry = parts.telemetry
        self._measurer = measurer

    def begin(self, cluster: Cluster, errands: Sequence[Errand], room: Room) -> Begun[Answers] | None:
        """One call for all whose tick is due."""
        key, now = f"metrics of {cluster.name}", self._clock.now()
        due = [
            (errand, effect, _subjects(errand.turn))
            for errand in errands
            if (effect := errand.turn.measure(now)) is not None and room.has(key, errand.turn, effect)
        ]
        if not due:
            return None
        subjects = [subject for _, _, asked in due for subject in asked if subject]
        begun = self._slots.begin([(key, False, partial(cluster.metrics.sample, subjects))])
        look = Look(cluster.name, key, subjects, begun.calls[0], now)
        for errand, effect, asked in due:
            errand.part = Part(effect, asked, look)
        return begun

    def took(self, turn: Turn, part: Part) -> tuple[Signal, ...]:
        """What the gates say by now. Counters are of when they were asked for: what they have happened before that."""
        found, asked = self._answers(part.look), part.look.asked
        sides = tuple(found[subject] if subject else Sample(asked, {}) for subject in part.sides)
        for one in sides:
            if isinstance(one, Unread):
                self._telemetry.count("unread", why=one.why.value)
        before, release = turn.working.measuring, _measured_release(turn)
        mine = before if before is not None and before.release == release.id else None
        mine = mine or self._measurer.begin(release, self._ledger.gates_before(release))
        measuring, measured, segments = self._measurer.look(mine, release, part.effect, sides, asked)
        turn.working.measuring = measuring
        turn.working.segments += segments
        turn.working.ticked = True
        turn.give_up(part.effect)
        told: tuple[Measured, ...] = (measured,) if measured is not None else ()
        if turn.trail is not None:
            turn.trail.looked(release, part.effect, told, (asked, self._clock.now()))
        return told

    def _answers(self, look: Look) -> Answers:
        """A server that does not answer leaves every side unread, and so does a fault."""
        if look.answers is None and not look.call.over:  # others may go on waiting for it
            return self._unread(look, Unavailable(f"{look.key} did not answer in time"))
        if look.answers is None:
            found = look.call.result()
            look.answers = self._unread(look, found) if isinstance(found, Exception) else self._read(found)
        return look.answers

    def _read(self, found: Answers) -> Answers:
        self._telemetry.count("effects", kind="Measure", outcome="done")
        return found

    def _unread(self, look: Look, error: Exception) -> Answers:
        away = isinstance(error, Unavailable)
        text = str(error) if away else repr(error)
        if not look.late:
            self._telemetry.count("effects", kind="Measure", outcome="unavailable" if away else "fault")
            self._telemetry.log("metrics_unavailable" if away else "fault", cluster=look.cluster, error=text)
        look.late = True
        return dict.fromkeys(look.subjects, unread(error if isinstance(error, Unavailable) else Unavailable(text)))


def _measured_release(turn: Turn) -> Release:
    active = turn.working.world.active
    if active is None:
        raise ValueError(f"{turn.working.target.id}: measured without a release")
    return active


def _subjects(turn: Turn) -> tuple[Subject | None, ...]:
    return measure.subjects(_measured_release(turn), turn.working.target.service)
