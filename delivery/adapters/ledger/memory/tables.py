"""Dicts of frozen values, and a journal that can take changes back."""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from delivery.adapters.ledger.units import Fold
from delivery.model.codec import StoredEvent
from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.record import StoredRecord
from delivery.ports.access import ApiToken, Session
from delivery.ports.clock import Clock
from delivery.ports.rows import (
    Alert,
    Delivery,
    Measuring,
    OutboxState,
    Outgoing,
    Row,
    Segment,
    ServiceRecord,
    StopOrder,
    StoredRelease,
)

K = TypeVar("K")
V = TypeVar("V")
_ABSENT: Any = object()
_Change = tuple[dict[Any, Any], Any, Any]


class Held(NamedTuple):
    """Who has leased a row of the outbox, and until when."""

    by: str
    until: Micros


class Kept(NamedTuple):
    """A row of the outbox with its lease."""

    row: Outgoing
    held: Held


NOBODY = Held("", Micros(0))


@dataclass(slots=True)
class Tables:
    """`woken` has targets that became due while somebody held them; `running` each target's one running release.

    `waiting` has the keys of `outbox` whose rows are still to be sent.
    """

    rows: dict[TargetId, Row] = field(default_factory=dict)
    woken: dict[TargetId, Micros] = field(default_factory=dict)
    running: dict[TargetId, ReleaseId] = field(default_factory=dict)
    releases: dict[ReleaseId, StoredRelease] = field(default_factory=dict)
    events: dict[ReleaseId, tuple[StoredEvent, ...]] = field(default_factory=dict)
    measuring: dict[ReleaseId, Measuring] = field(default_factory=dict)
    segments: dict[ReleaseId, tuple[Segment, ...]] = field(default_factory=dict)
    inbox: dict[tuple[str, str], Delivery] = field(default_factory=dict)
    outbox: dict[str, Kept] = field(default_factory=dict)
    waiting: dict[str, bool] = field(default_factory=dict)
    posted: dict[tuple[ReleaseId, str], str] = field(default_factory=dict)
    alerts: dict[int, Alert] = field(default_factory=dict)
    services: dict[str, ServiceRecord] = field(default_factory=dict)
    stops: dict[str, StopOrder] = field(default_factory=dict)
    leases: dict[str, tuple[str, Micros]] = field(default_factory=dict)
    workers: dict[str, tuple[Micros, str]] = field(default_factory=dict)
    tokens: dict[str, ApiToken] = field(default_factory=dict)
    records: dict[int, StoredRecord] = field(default_factory=dict)
    marks: dict[str, tuple[Micros, ReleaseId]] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)


class Journal:
    """The changes of the transaction that is open, and of the last `remember` that were committed."""

    def __init__(self, remember: int) -> None:
        self._open: list[_Change] = []
        self._past: deque[list[_Change]] = deque(maxlen=remember)

    def put(self, table: dict[K, V], key: K, value: V) -> None:
        self._open.append((table, key, table.get(key, _ABSENT)))
        table[key] = value

    def drop(self, table: dict[K, V], key: K) -> None:
        if key in table:
            self._open.append((table, key, table.pop(key)))

    def commit(self) -> None:
        if self._open:
            self._past.append(self._open)
            self._open = []

    def lose(self) -> bool:
        """Takes back the last committed transaction; False where none is remembered."""
        if not self._past:
            return False
        for table, key, value in reversed(self._past.pop()):
            if value is _ABSENT:
                del table[key]
            else:
                table[key] = value
        return True


class Transaction:
    """Holds the lock, and commits in the end. A class: a generator's context took as long as all that is in it."""

    def __init__(self, journal: Journal, lock: threading.RLock) -> None:
        self._journal, self._lock = journal, lock

    def __enter__(self) -> Journal:
        self._lock.acquire()
        return self._journal

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._journal.commit()
        self._lock.release()


class Base:
    """What the parts of the memory ledger share."""

    def __init__(self, clock: Clock, fold: Fold, remember: int = 0) -> None:
        self._clock = clock
        self._fold = fold
        self._tables = Tables()
        self._journal = Journal(remember)
        self._lock = threading.RLock()
        self._one = Transaction(self._journal, self._lock)

    def _transaction(self) -> Transaction:
        """Nothing in here raises half-way: everything is checked before the first change."""
        return self._one

    def _keep_alerts(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            self._journal.put(self._tables.alerts, max(self._tables.alerts, default=-1) + 1, alert)

    def _keep_outgoing(self, row: Outgoing, held: Held) -> None:
        self._journal.put(self._tables.outbox, row.key, Kept(row, held))
        if row.state is OutboxState.WAITING:
            self._journal.put(self._tables.waiting, row.key, True)
        else:
            self._journal.drop(self._tables.waiting, row.key)
