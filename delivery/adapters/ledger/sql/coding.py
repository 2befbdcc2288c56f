"""Values to columns and back. Decoded releases and targets are kept, because most are read again unchanged."""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Generic, TypeVar

from delivery.adapters.ledger.sql.shape import RELEASE_SHAPE
from delivery.adapters.ledger.units import parts_of, running
from delivery.model.codec import StoredEvent, canon, from_plain
from delivery.model.ids import Micros, Principal, ReleaseId
from delivery.model.release import Release
from delivery.model.target import Target
from delivery.ports.rows import (
    Alert,
    Delivery,
    DeliveryHead,
    InboxState,
    OutboxState,
    Outgoing,
    Row,
    ServiceRecord,
    StopOrder,
    StoredRelease,
)

K = TypeVar("K")
V = TypeVar("V")
_write = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


class Recent(Generic[K, V]):
    """The values that were used last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()

    def find(self, key: K) -> V | None:
        """What was kept under this key, used just now."""
        try:
            value = self._values[key]
            self._values.move_to_end(key)  # a KeyError as well where another thread drops it just now
        except KeyError:
            return None
        return value

    def get(self, key: K, make: Callable[[], V]) -> V:
        value = self.find(key)
        if value is None:
            value = make()
            self.keep(key, value)
        return value

    def last(self, key: K, otherwise: V) -> V:
        """What was kept last under this key."""
        return self._values.get(key, otherwise)

    def keep(self, key: K, value: V) -> None:
        self._values.pop(key, None)  # not moved to the end: another thread may have dropped it in between
        self._values[key] = value
        if len(self._values) > self._size:
            self._values.popitem(last=False)


def plain(body: bytes) -> Any:
    return json.loads(body)


def packed(value: object) -> bytes:
    """Plain JSON in the order it came in. Raises ValueError or TypeError for what JSON does not have."""
    return _write(value).encode()


TARGETS_KEPT = 16_384
_targets: Recent[bytes, Target] = Recent(TARGETS_KEPT)


def target_from(body: bytes) -> Target:
    return _targets.get(body, lambda: from_plain(Target, json.loads(body)))


def target_to(target: Target) -> bytes:
    """The stored form; whoever wrote a target last mostly is the one who reads it next."""
    body = canon(target)
    _targets.keep(body, target)
    return body


def release_from(body: bytes) -> Release:
    return from_plain(Release, json.loads(body))


def row_from(columns: Any, body: bytes) -> Row:
    settled = (columns.settled_epoch, columns.settled_release, columns.settled_dseq)
    return Row(
        target=target_from(body),
        version=columns.version,
        epoch=columns.epoch,
        writer=columns.writer,
        owner=columns.owner,
        lease_until=columns.lease_until,
        due_at=columns.due_at,
        due_why=columns.due_why,
        settled=None if columns.settled_release is None else settled,
        content=columns.content,
        written_at=columns.written_at,
        urgent=columns.urgent,
        failures=columns.failures,
        quarantined=columns.quarantined,
        requires=columns.requires,
    )


def row_values(row: Row) -> dict[str, Any]:
    epoch, release, dseq = row.settled or (None, None, None)
    return {
        "id": row.target.id,
        "service": row.target.service,
        "cluster": row.target.cluster,
        "version": row.version,
        "epoch": row.epoch,
        "writer": row.writer,
        "owner": row.owner,
        "lease_until": row.lease_until,
        "due_at": row.due_at,
        "due_why": row.due_why,
        "woken_at": None,
        "urgent": row.urgent,
        "settled_epoch": epoch,
        "settled_release": release,
        "settled_dseq": dseq,
        "content": row.content,
        "written_at": row.written_at,
        "failures": row.failures,
        "quarantined": row.quarantined,
        "requires": row.requires,
    }


def release_values(stored: StoredRelease) -> dict[str, Any]:
    release = stored.release
    service, cluster = parts_of(release.target)
    return {
        "id": release.id,
        "target": release.target,
        "service": service,
        "cluster": cluster,
        "number": release.number,
        "phase": release.phase.value,
        "closed": release.phase.closed,
        "running": running(release),
        "actor": release.actor,
        "version": release.candidate.version,
        "created_at": release.created_at,
        "finished_at": release.finished_at,
        "seq": release.seq,
        "head": stored.head,
        "shape": RELEASE_SHAPE,
        "body": canon(release),
    }


def event_values(event: StoredEvent) -> dict[str, Any]:
    return {
        "release": event.release,
        "seq": event.seq,
        "at": event.at,
        "type": event.type,
        "body": event.body,
        "prev": event.prev,
        "hash": event.hash,
        "said": event.said,
    }


def event_from(columns: Any) -> StoredEvent:
    release = ReleaseId(columns.release)
    said = columns.said or b""  # none where a version wrote it that had none
    return StoredEvent(release, columns.seq, columns.at, columns.type, columns.body, columns.prev, columns.hash, said)


def delivery_values(delivery: Delivery) -> dict[str, Any]:
    return {
        "source": delivery.source,
        "key": delivery.key,
        "digest": delivery.digest,
        "received_at": delivery.received_at,
        "body": delivery.body,
        **delivery_answer(delivery),
    }


def delivery_answer(delivery: Delivery) -> dict[str, Any]:
    """What may change of a row of the inbox."""
    return {
        "state": delivery.state.value,
        "outcome": delivery.outcome,
        "reason": delivery.reason,
        "answer": packed(delivery.answer),
        "error": delivery.error,
    }


def delivery_from(columns: Any) -> Delivery:
    return Delivery(
        source=columns.source,
        key=columns.key,
        digest=columns.digest,
        received_at=Micros(columns.received_at),
        body=columns.body,
        state=InboxState(columns.state),
        outcome=columns.outcome,
        reason=columns.reason,
        answer=plain(columns.answer),
        error=columns.error,
    )


def head_from(columns: Any) -> DeliveryHead:
    source, key, received_at, state, outcome, reason, error = columns
    return DeliveryHead(source, key, Micros(received_at), InboxState(state), outcome, reason, error)


def outgoing_values(outgoing: Outgoing) -> dict[str, Any]:
    return {
        "key": outgoing.key,
        "channel": outgoing.channel,
        "release": outgoing.release,
        "seq": outgoing.seq,
        "topic": outgoing.topic,
        "due_at": outgoing.due_at,
        "call": outgoing.call,
        "state": outgoing.state.value,
        "attempts": outgoing.attempts,
        "error": outgoing.error,
        "owner": "",
        "lease_until": 0,
    }


def outgoing_from(columns: Any) -> Outgoing:
    return Outgoing(
        key=columns.key,
        channel=columns.channel,
        release=ReleaseId(columns.release),
        seq=columns.seq,
        topic=columns.topic,
        due_at=Micros(columns.due_at),
        call=columns.call,
        state=OutboxState(columns.state),
        attempts=columns.attempts,
        error=columns.error,
    )


def alert_values(alert: Alert) -> dict[str, Any]:
    return {"at": alert.at, "kind": alert.kind, "subject": alert.subject, "detail": alert.detail}


def alert_from(columns: Any) -> Alert:
    return Alert(Micros(columns.at), columns.kind, columns.subject, columns.detail)


def service_values(record: ServiceRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "document": packed(record.document),
        "digest": record.digest,
        "revision": record.revision,
        "applied_at": record.applied_at,
        "applied_by": record.applied_by,
    }


@lru_cache(maxsize=4096)
def document_from(body: bytes) -> Mapping[str, object]:
    document: dict[str, object] = plain(body)
    return document


def service_from(columns: Any) -> ServiceRecord:
    return ServiceRecord(
        columns.name,
        document_from(columns.document),
        columns.digest,
        columns.revision,
        Micros(columns.applied_at),
        Principal(columns.applied_by),
    )


def stop_from(columns: Any) -> StopOrder:
    return StopOrder(columns.scope, Principal(columns.by), columns.reason, Micros(columns.since))
