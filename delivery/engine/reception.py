"""What becomes of one target's part of an arrival: its answer, and the row that keeps it."""

from collections.abc import Mapping

from delivery.engine.addressed import Addressed, Key
from delivery.engine.answer import Answer, unknown
from delivery.engine.book import Entry
from delivery.engine.parts import Parts
from delivery.engine.working import Working
from delivery.machine.admission import admit
from delivery.machine.change import Admission
from delivery.machine.quarantine import force_abort
from delivery.machine.refusal import Refusal
from delivery.model.frozen import replace
from delivery.model.hold import HoldKind
from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.notice import Again, Notice, ReleaseAction
from delivery.model.plan import Plan
from delivery.model.service import OnNewVersion
from delivery.model.signal import Abort, Resume
from delivery.ports.errors import TooNew
from delivery.ports.rows import Delivery, InboxState

NO_PLAN = Plan(stages=())


class Reception:
    def __init__(self, parts: Parts) -> None:
        self._ledger = parts.ledger
        self._book = parts.book
        self._clock = parts.clock
        self._ids = parts.ids
        self._telemetry = parts.telemetry

    def decide(
        self,
        part: Addressed,
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
            row = replace(self.row(part, part.answer), state=InboxState.PENDING) if part.kept else None
            return part.answer, row
        target = working.get(part.target) if part.target else None
        if target is None and part.target and self._ledger.unreadable([part.target]):
            raise TooNew(part.target)
        if target is None:
            return unknown("unknown_target", f"{part.target} is not set up: apply its service file"), None
        try:
            answer = self._admit(part, target, entries)
        except Refusal as refusal:
            answer = Answer("refused", _about(part.arrival.notice), refusal.kind, refusal.text, refusal)
        return answer, self.row(part, answer)

    def _admit(self, part: Addressed, working: Working, entries: Mapping[str, Entry | None]) -> Answer:
        """Raises Refusal."""
        notice = part.arrival.notice
        if working.row.quarantined is not None:
            return self._quarantined(notice, working)
        entry = entries.get(working.target.service) or self._book.recent(working.target.service)
        service = entry.service if entry else None
        plan = (entry.plan_in(working.target.cluster) if entry else None) or NO_PLAN
        policy = service.on_new_version if service else OnNewVersion.QUEUE_LATEST
        context = self._book.context(working.target, (self._ids.release(),), recent=True)
        self._fetch(notice, working)
        return self._took(admit(working.world, notice, plan, policy, context), working, context.now)

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
        """Two ways are open: an abort, which skips the rules that failed, and an admin's word that it is mended.

        Raises Refusal for any other, and for an abort where there is nothing to take back.
        """
        says, active = notice.says, working.world.active
        signal = says.signal if isinstance(says, ReleaseAction) else None
        if isinstance(signal, Resume) and HoldKind.QUARANTINED in signal.holds and signal.admin:
            working.recover()
            return Answer("signal", _about(notice), "resumed", "the target is worked on again")
        if isinstance(signal, Abort) and active and _about(notice) == (active.id,):
            context = self._book.context(working.target, recent=True)
            working.apply(force_abort(working.world, signal, context), context.now)
            return Answer("signal", (active.id,), "aborted", "the target is quarantined: traffic goes back to stable")
        raise Refusal(
            "quarantined",
            f"the target is quarantined: {working.row.quarantined}. Abort its release; or mend the cause, and let an"
            " admin resume it naming quarantined",
            ("abort", "resume"),
        )

    def row(self, part: Addressed, answer: Answer) -> Delivery:
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


def _about(notice: Notice) -> tuple[ReleaseId, ...]:
    return (notice.says.release,) if isinstance(notice.says, ReleaseAction | Again) else ()
