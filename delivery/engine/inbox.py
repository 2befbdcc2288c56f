"""Admission of what comes in: a batch of notices -> one commit -> an answer each.

Every accepted notice ends, for each target that it names, as exactly one row: a release, a signal, or a no-op with its
reason. Rows are unique by (source, key), so that a delivery that comes twice changes nothing and is told the same.
"""

from collections.abc import Mapping, Sequence

from delivery.engine.addressed import Addressed, Addressing
from delivery.engine.answer import Answer, Arrival, merged
from delivery.engine.book import Entry
from delivery.engine.parts import Parts
from delivery.engine.reception import Reception
from delivery.engine.traced import admitted
from delivery.engine.working import Working
from delivery.model.frozen import replace
from delivery.model.ids import Micros, TargetId
from delivery.ports.errors import PortError, Unavailable
from delivery.ports.rows import Alert as Alarm
from delivery.ports.rows import Delivery, InboxState, Result, Unit, Wake

TRIES = 8


class Inbox:
    def __init__(self, parts: Parts) -> None:
        self._addressing = Addressing(parts)
        self._reception = Reception(parts)
        self._ledger = parts.ledger
        self._book = parts.book
        self._clock = parts.clock
        self._ids = parts.ids
        self._hints = parts.hints
        self._telemetry = parts.telemetry

    def accept(self, arrivals: Sequence[Arrival]) -> tuple[Answer, ...]:
        """Admits the batch; returns after the commit. Raises Unavailable if the ledger cannot be reached."""
        begun = self._clock.now() if self._telemetry.tracing else Micros(0)
        entries = self._addressing.entries(arrivals)
        parts = self._addressing.of(arrivals, entries)
        answers: dict[int, list[Answer]] = {}
        for part in self._attempt(parts, entries, answers):
            self._alone(part, entries, answers)
        self._hint(parts)
        told = tuple(merged(answers[index]) for index in range(len(arrivals)))
        self._trace(arrivals, told, begun)
        return told

    def _trace(self, arrivals: Sequence[Arrival], answers: Sequence[Answer], begun: Micros) -> None:
        traced = [pair for pair in zip(arrivals, answers, strict=True) if pair[0].notice.trace]
        for arrival, answer in traced if self._telemetry.tracing else ():
            self._telemetry.trace(arrival.notice.trace, admitted(arrival, answer, (begun, self._clock.now())))

    def _alone(self, part: Addressed, entries: Mapping[str, Entry | None], answers: dict[int, list[Answer]]) -> None:
        """Again, by itself, so that one that nobody can admit spoils no other."""
        for _ in range(TRIES):
            if not self._attempt([part], entries, answers):
                return
        text = f"delivery {part.key[1]} met a busy target {TRIES} times"
        raise Unavailable(text, 1.0, text)

    def _attempt(
        self, parts: Sequence[Addressed], entries: Mapping[str, Entry | None], answers: dict[int, list[Answer]]
    ) -> list[Addressed]:
        """Decides and commits; the parts whose target or key moved meanwhile are returned, to be decided again."""
        known = dict(self._ledger.deliveries([part.key for part in parts]))
        targets = {part.target for part in parts if part.target is not None}
        snapshots = self._ledger.load(sorted(targets))
        audience = self._book.audience
        salt = self._ids.salt
        parts, entries = self._addressing.anew(parts, entries)
        working = {key: Working.of(found, salt, audience(found.row.target)) for key, found in snapshots.items()}
        decided: dict[TargetId, list[tuple[Addressed, Answer]]] = {}
        notes: list[tuple[Addressed, Answer, Delivery]] = []
        for part in parts:
            try:
                answer, row = self._reception.decide(part, known, working, entries)
            except PortError:
                if len(parts) > 1:
                    return list(parts)
                raise
            except Exception as error:  # a fault of ours, whatever it is: kept for a person, and no other is touched
                if len(parts) > 1:
                    return list(parts)
                return self._bury(part, repr(error), answers)
            if row is None:
                _tell(answers, part, answer)
                continue
            known[part.key] = row
            touched = working.get(part.target) if part.target else None
            if touched is not None and touched.row_changed:
                touched.inbox.append(row)
                decided.setdefault(touched.row.target.id, []).append((part, answer))
            else:
                notes.append((part, answer, row))
        return self._commit(working, decided, notes, answers)

    def _commit(
        self,
        working: Mapping[TargetId, Working],
        decided: Mapping[TargetId, list[tuple[Addressed, Answer]]],
        notes: Sequence[tuple[Addressed, Answer, Delivery]],
        answers: dict[int, list[Answer]],
    ) -> list[Addressed]:
        wake = Wake(self._clock.now(), "a decision")
        units = [working[target].unit(None, _woken(working[target], wake)) for target in decided]
        groups = list(decided.values())
        units += [Unit(inbox=(row,)) for _, _, row in notes]
        groups += [[(part, answer)] for part, answer, _ in notes]
        again: list[Addressed] = []
        for group, result in zip(groups, self._ledger.commit(units) if units else (), strict=True):
            for part, answer in group:
                if result.result is Result.DONE:
                    _tell(answers, part, answer)
                elif result.result is Result.CONFLICT or len(groups) > 1 or len(group) > 1:
                    again.append(part)
                else:
                    again += self._bury(part, result.error, answers)
        return again

    def _bury(self, part: Addressed, error: str, answers: dict[int, list[Answer]]) -> list[Addressed]:
        """Keeps a delivery that cannot be admitted, with an alert, until a person replays or discards it."""
        text = "it is kept, but could not be admitted: people were told"
        answer = Answer("accepted", reason="dead", text=text)
        row = replace(self._reception.row(part, answer), state=InboxState.DEAD, error=error)
        alert = Alarm(self._clock.now(), "inbox_dead", f"{part.key[0]} {part.key[1]}", error)
        self._telemetry.log("delivery_dead", source=part.key[0], key=part.key[1], error=error)
        (result,) = self._ledger.commit([Unit(inbox=(row,), alerts=(alert,))])
        if result.result is not Result.DONE:
            return [part]
        _tell(answers, part, answer)
        return []

    def _hint(self, parts: Sequence[Addressed]) -> None:
        self._hints.due(sorted({part.target.partition("@")[2] for part in parts if part.target}))


def _tell(answers: dict[int, list[Answer]], part: Addressed, answer: Answer) -> None:
    answers.setdefault(part.index, []).append(replace(answer, target=part.target))


def _woken(working: Working, wake: Wake) -> Wake:
    """A revert is claimed before everything else, and from whoever holds the target: that one may be waiting."""
    active = working.world.active
    urgent = active is not None and active.then is not None
    return Wake(wake.due_at, wake.why, urgent=urgent, release_claim=urgent)
