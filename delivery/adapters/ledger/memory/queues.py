"""The inbox and the outbox."""

from collections.abc import Collection, Mapping, Sequence

from delivery.adapters.ledger.memory.tables import NOBODY, Base, Held
from delivery.adapters.ledger.units import past
from delivery.model.frozen import replace
from delivery.model.ids import Micros, ReleaseId
from delivery.ports.rows import Alert, Delivery, DeliveryHead, InboxState, OutboxState, Outgoing


class Queues(Base):
    def deliveries(self, keys: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Delivery]:
        with self._lock:
            return {key: self._tables.inbox[key] for key in keys if key in self._tables.inbox}

    def update_delivery(self, delivery: Delivery, was: InboxState, alerts: Sequence[Alert] = ()) -> bool:
        with self._transaction() as journal:
            key = (delivery.source, delivery.key)
            stored = self._tables.inbox.get(key)
            if stored is None or stored.state is not was:
                return False
            after = replace(
                stored,
                state=delivery.state,
                outcome=delivery.outcome,
                reason=delivery.reason,
                answer=delivery.answer,
                error=delivery.error,
            )
            journal.put(self._tables.inbox, key, after)
            self._keep_alerts(alerts)
            return True

    def inbox(self, state: InboxState, limit: int, cluster: str | None = None) -> tuple[Delivery, ...]:
        return self._oldest(state, limit, "" if cluster is None else f"@{cluster}")

    def _oldest(self, state: InboxState, limit: int, ends: str = "") -> tuple[Delivery, ...]:
        with self._lock:
            found = [row for row in self._tables.inbox.values() if row.state is state and row.key.endswith(ends)]
        return tuple(sorted(found, key=lambda row: (row.received_at, row.source, row.key))[:limit])

    def inbox_heads(self, state: InboxState, limit: int) -> tuple[DeliveryHead, ...]:
        return tuple(
            DeliveryHead(row.source, row.key, row.received_at, row.state, row.outcome, row.reason, row.error)
            for row in self._oldest(state, limit)
        )

    def claim_outbox(
        self,
        owner: str,
        lease: Micros,
        limit: int,
        without: Collection[str] = (),
        only: str | None = None,
        in_turn: bool = False,
    ) -> tuple[Outgoing, ...]:
        with self._transaction():
            now = self._clock.now()
            due = [
                row
                for row, held in map(self._tables.outbox.__getitem__, self._tables.waiting)
                if past(row.due_at, now)
                and past(held.until, now)
                and row.channel.partition(":")[0] not in without
                and only in (None, row.channel.partition(":")[0])
                and not (in_turn and self._has_earlier(row))
            ]
            due = sorted(due, key=_oldest_first)[:limit]
            for row in due:
                self._keep_outgoing(row, Held(owner, Micros(now + lease)))
            return tuple(due)

    def _has_earlier(self, row: Outgoing) -> bool:
        waiting = (self._tables.outbox[key].row for key in self._tables.waiting)
        return any((one.release, one.channel) == (row.release, row.channel) and one.seq < row.seq for one in waiting)

    def update_outbox(self, rows: Sequence[Outgoing], holder: str | None = None, alerts: Sequence[Alert] = ()) -> bool:
        with self._transaction():
            if not all(self._changeable(row.key, holder) for row in rows):
                return False
            for row in rows:
                stored = self._tables.outbox[row.key].row
                after = replace(stored, state=row.state, attempts=row.attempts, due_at=row.due_at, error=row.error)
                self._keep_outgoing(after, NOBODY)
            self._keep_alerts(alerts)
            return True

    def _changeable(self, key: str, holder: str | None) -> bool:
        found = self._tables.outbox.get(key)
        if found is None or holder is None:
            return found is not None and found.row.state is OutboxState.DEAD
        return found.row.state is OutboxState.WAITING and found.held.by == holder

    def outbox(self, state: OutboxState, limit: int) -> tuple[Outgoing, ...]:
        with self._lock:
            found = [row for row, _ in self._tables.outbox.values() if row.state is state]
        return tuple(sorted(found, key=_oldest_first)[:limit])

    def posted(self, release: ReleaseId, channel: str) -> str | None:
        with self._lock:
            return self._tables.posted.get((release, channel))

    def note_posted(self, release: ReleaseId, channel: str, at: str) -> None:
        with self._transaction() as journal:
            journal.put(self._tables.posted, (release, channel), at)


def _oldest_first(row: Outgoing) -> tuple[Micros, str, int, str]:
    return row.due_at, row.release, row.seq, row.channel
