"""Taking away what is old enough: a little at a time, by one worker at a time, never in the way of a decision."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from delivery.model.ids import SECOND, Micros
from delivery.model.record import RecordKind
from delivery.ports.clock import Clock
from delivery.ports.history import History
from delivery.ports.ledger import Ledger
from delivery.ports.retention import Batch, Retention
from delivery.ports.telemetry import Telemetry

ROWS, RELEASES = 500, 20
"""At most in one transaction; a tenth of it at first."""
SHORT = 0.05
"""Seconds that a transaction may take: on SQLite a commit, a revert's too, waits for it. What takes longer is halved,
what takes less than half as long is doubled.
"""
LEASE = Micros(60 * SECOND)


class Store(Retention, History, Protocol):
    """Both ports over the same rows."""


_Drop = Callable[[Micros, int], Batch]


@dataclass(frozen=True, slots=True)
class Terms:
    """How long what is over is kept; None: for ever. `outbox` is for alerts too, `events` for all of a release.

    `export_first`: no release goes before somebody has said that it is exported.
    """

    events: Micros | None = None
    ticks: Micros | None = None
    inbox: Micros | None = None
    outbox: Micros | None = None
    export_first: bool = False


class Keeper:
    """`owner` is this life of this process."""

    def __init__(
        self, ledger: Ledger, store: Store, terms: Terms, clock: Clock, telemetry: Telemetry, owner: str
    ) -> None:
        self._ledger, self._store, self._terms = ledger, store, terms
        self._clock = clock
        self._telemetry = telemetry
        self._owner = owner
        kinds: tuple[tuple[str, Micros | None, _Drop, int], ...] = (
            ("inbox", terms.inbox, store.drop_deliveries, ROWS),
            ("outbox", terms.outbox, store.drop_messages, ROWS),
            ("alerts", terms.outbox, store.drop_alerts, ROWS),
            ("ticks", terms.ticks, store.drop_ticks, RELEASES),
            ("events", terms.events, self._drop_releases, RELEASES),
        )
        self._kinds = [(kind, kept, drop, most) for kind, kept, drop, most in kinds if kept is not None]
        self._sizes = {kind: most // 10 for kind, _, _, most in self._kinds}
        self._gone = dict.fromkeys((kind for kind, *_ in self._kinds), 0)

    def run(self, limit: float) -> int:
        """One batch of each kind, none begun after about `limit` seconds; of how many kinds there may be more."""
        if not self._kinds or not self._ledger.lease("retention", self._owner, LEASE):
            return 0
        end, left = self._clock.monotonic() + limit, 0
        for kind, kept, drop, most in self._kinds:
            if self._clock.monotonic() > end:
                return left + 1
            left += self._drop(kind, Micros(self._clock.now() - kept), drop, most)
        return left

    def _drop(self, kind: str, before: Micros, drop: _Drop, most: int) -> bool:
        started = self._clock.monotonic()
        batch = drop(before, self._sizes[kind])
        took = self._clock.monotonic() - started
        if took > SHORT:
            self._sizes[kind] = max(1, self._sizes[kind] // 2)
        elif took < SHORT / 2:
            self._sizes[kind] = min(most, self._sizes[kind] * 2)
        self._gone[kind] += batch.rows
        if batch.rows:
            self._telemetry.count("retention_rows", batch.rows, kind=kind)
            self._telemetry.observe("retention_seconds", took, kind=kind)
        if self._gone[kind] and not batch.more:
            self._telemetry.log("retention", kind=kind, rows=self._gone[kind], before=before)
            self._gone[kind] = 0
        return batch.more

    def _drop_releases(self, before: Micros, most: int) -> Batch:
        if self._terms.export_first:
            last = self._store.last_record(RecordKind.EXPORTED)
            before = min(before, last.data["until"]) if last else Micros(0)
        return self._store.drop_releases(before, most)
