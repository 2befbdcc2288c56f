"""Admission of what comes in: a batch of notices -> one commit -> an answer each.

Every accepted notice ends, for each target that it names, as exactly one row: a release, a signal, or a no-op with its
reason. Rows are unique by (source, key), so that a delivery that comes twice changes nothing and is told the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from delivery.engine.addressees import addressees, hinted, meant
from delivery.engine.answer import Answer, Arrival, merged, unknown
from delivery.engine.book import Entry
from delivery.engine.hinted import encode
from delivery.engine.parts import Parts
from delivery.engine.traced import admitted
from delivery.engine.working import Working
from delivery.machine.admission import admit
from delivery.machine.change import Admission
from delivery.machine.quarantine import force_abort
from delivery.machine.refusal import Refusal
from delivery.model.frozen import replace
from delivery.model.hold import HoldKind
from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.notice import Again, HandsOff, Happened, Hinted, Notice, ReleaseAction, ReleaseRequested
from delivery.model.plan import Plan
from delivery.model.service import OnNewVersion
from delivery.model.signal import Abort, Resume
from delivery.ports.errors import PortError, TooNew, Unavailable
from delivery.ports.ledger import Alert as Alarm
from delivery.ports.ledger import Delivery, InboxState, Result, Unit, Wake

TRIES = 8
Key = tuple[str, str]
NO_PLAN = Plan(stages=())
TO_BE_READ = Answer("accepted", reason="to_be_read", text="it is kept: what is there is read again, then it counts")


@dataclass(frozen=True, slots=True)
class _Part:
    """One target's share of an arrival. `index` is the arrival's place in the batch."""

    index: int
    arrival: Arrival
    key: Key
    target: TargetId | None
    answer: Answer | None = None  # known already: unknown names, conflicts, repeated deliveries
    kept: bool = False  # with its answer, until a worker has read again what it only hints at


class Inbox:
    def __init__(self, parts: Parts) -> None:
        self._ledger = parts.ledger
        self._book = parts.book
        self._clock = parts.clock
        self._ids = parts.ids
        self._hints = parts.hints
        self._telemetry = parts.telemetry

    def accept(self, arrivals: Sequence[Arrival]) -> tuple[Answer, ...]:
        """Admits the batch; returns after the commit. Raises Unavailable if the ledger cannot be reached."""
        begun = self._clock.now() if self._telemetry.tracing else Micros(0)
        entries = self._entries(arrivals)
        parts = [part for index, arrival in enumerate(arrivals) for part in self._parts(index, arrival, entries)]
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

    def _alone(self, part: _Part, entries: Mapping[str, Entry | None], answers: dict[int, list[Answer]]) -> None:
        """Again, by itself, so that one that nobody can admit spoils no other."""
        for _ in range(TRIES):
            if not self._attempt([part], entries, answers):
                return
        raise Unavailable(f"delivery {part.key[1]} met a busy target {TRIES} times: send it again", 1.0)

    def _entries(self, arrivals: Sequence[Arrival]) -> Mapping[str, Entry | None]:
        """The services that the batch names, as applied now."""
        names = {a.notice.says.service for a in arrivals if isinstance(a.notice.says, ReleaseRequested | HandsOff)}
        return self._book.read(sorted(names)) if names else {}

    def _parts(self, index: int, arrival: Arrival, entries: Mapping[str, Entry | None]) -> list[_Part]:
        notice = arrival.notice
        if isinstance(notice.says, Happened):
            return self._meant(index, arrival, notice.says)
        if isinstance(notice.says, Hinted):
            return self._hinted(index, arrival, notice.says)
        found = self._targets(arrival, entries)
        if isinstance(found, Answer):
            return [_Part(index, arrival, (notice.source, notice.key), None, found)]
        return _parts(index, [(arrival, target) for target in found])

    def _meant(self, index: int, arrival: Arrival, happened: Happened) -> list[_Part]:
        """What the triggers of all services make of it: a request of each that fits, to each of its targets."""
        notice = arrival.notice
        everything = self._book.read([one.name for one in self._ledger.services()])
        asked: list[tuple[Arrival, TargetId]] = []
        others: list[Answer] = []
        for request in meant(notice.source, happened, everything):
            own = arrival if isinstance(request, Answer) else replace(arrival, notice=replace(notice, says=request))
            found = request if isinstance(request, Answer) else self._targets(own, everything)
            if isinstance(found, Answer):
                self._telemetry.log("trigger_without_release", source=notice.source, key=notice.key, why=found.text)
                others.append(found)
            else:
                asked += [(own, target) for target in found]
        key = (notice.source, f"{notice.key}#")  # no target's: nothing is stored under it
        return [*_parts(index, asked), *(_Part(index, arrival, key, None, answer) for answer in others)]

    def _hinted(self, index: int, arrival: Arrival, says: Hinted) -> list[_Part]:
        """Kept for each target that it may be about."""
        notice, everything = arrival.notice, self._book.read([one.name for one in self._ledger.services()])
        found = hinted(notice.source, says, everything)
        if not found:
            nobody = Answer("no_op", reason="nobody_waits", text=f"no service has a trigger for this {says.event}")
            return [_Part(index, arrival, (notice.source, notice.key), None, nobody)]
        kept = replace(arrival, body=encode(says, notice.trace))
        return [
            _Part(index, kept, (notice.source, f"{notice.key}#{target}"), target, TO_BE_READ, kept=True)
            for target in found
        ]

    def _targets(self, arrival: Arrival, entries: Mapping[str, Entry | None]) -> Sequence[TargetId] | Answer:
        return addressees(arrival.notice, entries, self._ledger, self._book)

    def _attempt(
        self, parts: Sequence[_Part], entries: Mapping[str, Entry | None], answers: dict[int, list[Answer]]
    ) -> list[_Part]:
        """Decides and commits; the parts whose target or key moved meanwhile are returned, to be decided again."""
        known = dict(self._ledger.deliveries([part.key for part in parts]))
        targets = {part.target for part in parts if part.target is not None}
        snapshots = self._ledger.load(sorted(targets))
        audience = self._book.audience
        salt = self._ids.salt
        working = {key: Working.of(found, salt, audience(found.row.target)) for key, found in snapshots.items()}
        decided: dict[TargetId, list[tuple[_Part, Answer]]] = {}
        notes: list[tuple[_Part, Answer, Delivery]] = []
        for part in parts:
            try:
                answer, row = self._decide(part, known, working, entries)
            except PortError:
                if len(parts) > 1:
                    return list(parts)
                raise
            except Exception as error:  # a fault of ours, whatever it is: kept for a person, and no other is touched
                if len(parts) > 1:
                    return list(parts)
                return self._bury(part, repr(error), answers)
            if row is None:
                answers.setdefault(part.index, []).append(answer)
                continue
            known[part.key] = row
            touched = working.get(part.target) if part.target else None
            if touched is not None and touched.row_changed:
                touched.inbox.append(row)
                decided.setdefault(touched.row.target.id, []).append((part, answer))
            else:
                notes.append((part, answer, row))
        return self._commit(working, decided, notes, answers)

    def _decide(
        self,
        part: _Part,
        known: Mapping[Key, Delivery],
        working: Mapping[TargetId, Working],
        entries: Mapping[str, Entry | None],
    ) -> tuple[Answer, Delivery | None]:
        """The answer, and the row to insert; no row for what leaves no trace (a repeated or unknown delivery)."""
        earlier = known.get(part.key)
        if earlier is not None:
            if earlier.digest != part.arrival.notice.digest:
                return Answer("conflict", reason="key_reused", text="this id was used before, with another body"), None
            return Answer.stored(earlier.answer), None
        if part.answer is not None:
            row = replace(self._row(part, part.answer), state=InboxState.PENDING) if part.kept else None
            return part.answer, row
        target = working.get(part.target) if part.target else None
        if target is None and part.target and self._ledger.unreadable([part.target]):
            raise TooNew(part.target)
        if target is None:
            return unknown("unknown_target", f"{part.target} is not set up: apply its service file"), None
        answer = self._admit(part, target, entries)
        return answer, self._row(part, answer)

    def _admit(self, part: _Part, working: Working, entries: Mapping[str, Entry | None]) -> Answer:
        notice = part.arrival.notice
        if working.row.quarantined is not None:
            return self._quarantined(notice, working)
        entry = entries.get(working.target.service) or self._book.recent(working.target.service)
        service = entry.service if entry else None
        plan = (entry.plan_in(working.target.cluster) if entry else None) or NO_PLAN
        policy = service.on_new_version if service else OnNewVersion.QUEUE_LATEST
        context = self._book.context(working.target, (self._ids.release(),), recent=True)
        self._fetch(notice, working)
        try:
            admission = admit(working.world, notice, plan, policy, context)
        except Refusal as refusal:
            return Answer("refused", _about(notice), refusal.kind, refusal.text, refusal)
        return self._took(admission, working, context.now)

    def _fetch(self, notice: Notice, working: Working) -> None:
        """A person may name any release of the target, long finished ones too."""
        for named in _about(notice):
            if named not in working.world.releases:
                working.know(named, self._ledger.releases([named])[named])

    def _took(self, admission: Admission, working: Working, now: Micros) -> Answer:
        if admission.change is not None:
            working.apply(admission.change, now)
        self._telemetry.count("admissions", outcome=admission.outcome, reason=admission.reason)
        releases = (admission.release,) if admission.release else ()
        return Answer(admission.outcome, releases, admission.reason, admission.text)

    def _quarantined(self, notice: Notice, working: Working) -> Answer:
        """Two ways are open: an abort, which skips the rules that failed, and an admin's word that it is mended."""
        says, active = notice.says, working.world.active
        signal = says.signal if isinstance(says, ReleaseAction) else None
        if isinstance(signal, Resume) and HoldKind.QUARANTINED in signal.holds and signal.admin:
            working.recover()
            return Answer("signal", _about(notice), "resumed", "the target is worked on again")
        if isinstance(signal, Abort) and active and _about(notice) == (active.id,):
            context = self._book.context(working.target, recent=True)
            working.apply(force_abort(working.world, signal, context), context.now)
            return Answer("signal", (active.id,), "aborted", "the target is quarantined: traffic goes back to stable")
        refusal = Refusal(
            "quarantined",
            f"the target is quarantined: {working.row.quarantined}. Abort its release; or mend the cause, and let an"
            " admin resume it naming quarantined",
            ("abort", "resume"),
        )
        return Answer("refused", _about(notice), refusal.kind, refusal.text, refusal)

    def _row(self, part: _Part, answer: Answer) -> Delivery:
        source, key = part.key
        return Delivery(
            source=source,
            key=key,
            digest=part.arrival.notice.digest,
            received_at=self._clock.now(),
            body=part.arrival.body,
            state=InboxState.DONE,
            outcome=answer.outcome,
            reason=answer.reason,
            answer=answer.plain(),
        )

    def _commit(
        self,
        working: Mapping[TargetId, Working],
        decided: Mapping[TargetId, list[tuple[_Part, Answer]]],
        notes: Sequence[tuple[_Part, Answer, Delivery]],
        answers: dict[int, list[Answer]],
    ) -> list[_Part]:
        wake = Wake(self._clock.now(), "a decision")
        units = [working[target].unit(None, _woken(working[target], wake)) for target in decided]
        groups = list(decided.values())
        units += [Unit(inbox=(row,)) for _, _, row in notes]
        groups += [[(part, answer)] for part, answer, _ in notes]
        again: list[_Part] = []
        for group, result in zip(groups, self._ledger.commit(units) if units else (), strict=True):
            for part, answer in group:
                if result.result is Result.DONE:
                    answers.setdefault(part.index, []).append(answer)
                elif result.result is Result.CONFLICT or len(groups) > 1 or len(group) > 1:
                    again.append(part)
                else:
                    again += self._bury(part, result.error, answers)
        return again

    def _bury(self, part: _Part, error: str, answers: dict[int, list[Answer]]) -> list[_Part]:
        """Keeps a delivery that cannot be admitted, with an alert, until a person replays or discards it."""
        text = "it is kept, but could not be admitted: people were told"
        answer = Answer("accepted", reason="dead", text=text)
        row = replace(self._row(part, answer), state=InboxState.DEAD, error=error)
        alert = Alarm(self._clock.now(), "inbox_dead", f"{part.key[0]} {part.key[1]}", error)
        self._telemetry.log("delivery_dead", source=part.key[0], key=part.key[1], error=error)
        (result,) = self._ledger.commit([Unit(inbox=(row,), alerts=(alert,))])
        if result.result is not Result.DONE:
            return [part]
        answers.setdefault(part.index, []).append(answer)
        return []

    def _hint(self, parts: Sequence[_Part]) -> None:
        self._hints.due(sorted({part.target.partition("@")[2] for part in parts if part.target}))


def _parts(index: int, asked: Sequence[tuple[Arrival, TargetId]]) -> list[_Part]:
    """A row for each target; one alone has the delivery's own key."""
    many = len(asked) > 1
    found = []
    for arrival, target in asked:
        source, key = arrival.notice.source, arrival.notice.key
        found.append(_Part(index, arrival, (source, f"{key}#{target}" if many else key), target))
    return found


def _woken(working: Working, wake: Wake) -> Wake:
    """A revert is claimed before everything else."""
    active = working.world.active
    urgent = active is not None and active.then is not None
    return Wake(wake.due_at, wake.why, urgent=urgent)


def _about(notice: Notice) -> tuple[ReleaseId, ...]:
    return (notice.says.release,) if isinstance(notice.says, ReleaseAction | Again) else ()
