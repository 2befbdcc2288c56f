"""Taking away what is old enough: a little at a time, by one worker at a time, never in the way of a decision."""

from collections.abc import Callable
from dataclasses import dataclass

from delivery.model.ids import SECOND, Micros
from delivery.ports.clock import Clock
from delivery.ports.ledger import Ledger
from delivery.ports.retention import Batch, Retention
from delivery.ports.telemetry import Telemetry

ROWS = 500
"""Rows in one transaction: some ten milliseconds, which is what a commit may have to wait for on SQLite."""
RELEASES = 20
"""Releases in one transaction: each has some hundred rows."""
LEASE = Micros(60 * SECOND)
_Drop = Callable[[Micros, int], Batch]


@dataclass(frozen=True, slots=True)
class Terms:
    """How long what is over is kept; None: for ever. `outbox` is for alerts too."""

    ticks: Micros | None = None
    inbox: Micros | None = None
    outbox: Micros | None = None


class Keeper:
    """`owner` is this life of this process."""

    def __init__(
        self, ledger: Ledger, store: Retention, terms: Terms, clock: Clock, telemetry: Telemetry, owner: str
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._telemetry = telemetry
        self._owner = owner
        kinds: tuple[tuple[str, Micros | None, _Drop, int], ...] = (
            ("inbox", terms.inbox, store.drop_deliveries, ROWS),
            ("outbox", terms.outbox, store.drop_messages, ROWS),
            ("alerts", terms.outbox, store.drop_alerts, ROWS),
            ("ticks", terms.ticks, store.drop_ticks, RELEASES),
        )
        self._kinds = [(kind, kept, drop, most) for kind, kept, drop, most in kinds if kept is not None]
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
        batch = drop(before, most)
        self._gone[kind] += batch.rows
        if batch.rows:
            self._telemetry.count("retention_rows", batch.rows, kind=kind)
            self._telemetry.observe("retention_seconds", self._clock.monotonic() - started, kind=kind)
        if self._gone[kind] and not batch.more:
            self._telemetry.log("retention", kind=kind, rows=self._gone[kind], before=before)
            self._gone[kind] = 0
        return batch.more
