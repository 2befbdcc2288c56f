"""The inbox and the outbox."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields

from sqlalchemy import bindparam, exists, select, update

from delivery.adapters.ledger.sql import coding
from delivery.adapters.ledger.sql.part import Moved, Part, add, change, past
from delivery.adapters.ledger.sql.tables import ALERT, INBOX, OUTBOX, POSTED
from delivery.adapters.ledger.sql.upsert import PUT_POSTED
from delivery.model.ids import Micros, ReleaseId
from delivery.ports.rows import Alert, Delivery, DeliveryHead, InboxState, OutboxState, Outgoing

_HEADS = select(*(INBOX.c[field.name] for field in fields(DeliveryHead)))
_FIRST_COME = (INBOX.c.received_at, INBOX.c.source, INBOX.c.key)
_OLDEST_FIRST = (OUTBOX.c.due_at, OUTBOX.c.release, OUTBOX.c.seq, OUTBOX.c.channel)
_EARLIER = OUTBOX.alias("earlier")
_HAS_EARLIER = exists().where(
    _EARLIER.c.key > OUTBOX.c.release + ":",  # keys begin with the release: this is the way by the primary key
    _EARLIER.c.key < OUTBOX.c.release + ";",
    _EARLIER.c.channel == OUTBOX.c.channel,
    _EARLIER.c.seq < OUTBOX.c.seq,
    _EARLIER.c.state == OutboxState.WAITING.value,
)
_OWN = update(OUTBOX).where(OUTBOX.c.key == bindparam("b_key"))
_OF_HELD = _OWN.where(OUTBOX.c.state == OutboxState.WAITING.value, OUTBOX.c.owner == bindparam("b_holder"))
_OF_DEAD = _OWN.where(OUTBOX.c.state == OutboxState.DEAD.value)


class Queues(Part):
    def deliveries(self, keys: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Delivery]:
        if not keys:
            return {}
        by_source: dict[str, list[str]] = {}
        for source, key in keys:
            by_source.setdefault(source, []).append(key)
        found: dict[tuple[str, str], Delivery] = {}
        with self._database.read() as connection:
            for source, of_source in by_source.items():  # one source, as a rule
                query = select(INBOX).where(INBOX.c.source == source, INBOX.c.key.in_(of_source))
                found |= {(row.source, row.key): coding.delivery_from(row) for row in connection.execute(query)}
        return found

    def update_delivery(self, delivery: Delivery, was: InboxState, alerts: Sequence[Alert] = ()) -> bool:
        own = (INBOX.c.source == delivery.source, INBOX.c.key == delivery.key, INBOX.c.state == was.value)
        statement = update(INBOX).where(*own).values(coding.delivery_answer(delivery))
        with self._database.write() as connection:
            found = connection.execute(statement).rowcount == 1
            if found:
                add(connection, ALERT, [coding.alert_values(alert) for alert in alerts])
        return found

    def inbox(self, state: InboxState, limit: int, cluster: str | None = None) -> tuple[Delivery, ...]:
        query = select(INBOX).where(INBOX.c.state == state.value)
        if cluster is not None:
            query = query.where(INBOX.c.key.endswith(f"@{cluster}", autoescape=True))
        query = query.order_by(*_FIRST_COME).limit(limit)
        with self._database.read() as connection:
            return tuple(coding.delivery_from(columns) for columns in connection.execute(query))

    def inbox_heads(self, state: InboxState, limit: int) -> tuple[DeliveryHead, ...]:
        query = _HEADS.where(INBOX.c.state == state.value).order_by(*_FIRST_COME).limit(limit)
        with self._database.read() as connection:
            return tuple(coding.head_from(columns) for columns in connection.execute(query))

    def claim_outbox(
        self,
        owner: str,
        lease: Micros,
        limit: int,
        without: Collection[str] = (),
        only: str | None = None,
        in_turn: bool = False,
    ) -> tuple[Outgoing, ...]:
        now = self._database.now()
        others = [~OUTBOX.c.channel.startswith(f"{chat}:", autoescape=True) for chat in sorted(without)]
        if only is not None:
            others.append(OUTBOX.c.channel.startswith(f"{only}:", autoescape=True))
        if in_turn:
            others.append(~_HAS_EARLIER)
        due = (
            select(OUTBOX.c.key)
            .where(
                OUTBOX.c.state == OutboxState.WAITING.value,
                past(OUTBOX.c.due_at, now),
                past(OUTBOX.c.lease_until, now),
                *others,
            )
            .order_by(*_OLDEST_FIRST)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        statement = (
            update(OUTBOX)
            .where(OUTBOX.c.key == due.c.key)
            .values(owner=owner, lease_until=now + lease)
            .returning(*OUTBOX.c)
        )
        with self._database.write() as connection:
            rows = [coding.outgoing_from(columns) for columns in connection.execute(statement)]
        return tuple(sorted(rows, key=lambda row: (row.due_at, row.release, row.seq, row.channel)))

    def update_outbox(self, rows: Sequence[Outgoing], holder: str | None = None, alerts: Sequence[Alert] = ()) -> bool:
        values = [
            {
                "b_key": row.key,
                "b_holder": holder,
                "state": row.state.value,
                "attempts": row.attempts,
                "due_at": row.due_at,
                "error": row.error,
                "owner": "",
                "lease_until": 0,
            }
            for row in sorted(rows, key=lambda row: row.key)  # in one order, so that two never wait for each other
        ]
        if not values:
            return True
        statement = _OF_DEAD if holder is None else _OF_HELD
        try:
            with self._database.write() as connection:
                change(connection, statement, values)
                add(connection, ALERT, [coding.alert_values(alert) for alert in alerts])
        except Moved:
            return False
        return True

    def outbox(self, state: OutboxState, limit: int) -> tuple[Outgoing, ...]:
        query = select(OUTBOX).where(OUTBOX.c.state == state.value).order_by(*_OLDEST_FIRST).limit(limit)
        with self._database.read() as connection:
            return tuple(coding.outgoing_from(columns) for columns in connection.execute(query))

    def posted(self, release: ReleaseId, channel: str) -> str | None:
        query = select(POSTED.c.at).where(POSTED.c.release == release, POSTED.c.channel == channel)
        with self._database.read() as connection:
            found: str | None = connection.execute(query).scalar_one_or_none()
        return found

    def note_posted(self, release: ReleaseId, channel: str, at: str) -> None:
        values = {"release": release, "channel": channel, "at": at}
        with self._database.write() as connection:
            connection.execute(PUT_POSTED[self._database.sqlite], values)
