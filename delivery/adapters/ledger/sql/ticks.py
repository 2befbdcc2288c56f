"""Reading what was measured: segments never change, so each process decodes one once to sum it up."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, case, func, select

from delivery.adapters.ledger.sql.coding import Recent
from delivery.adapters.ledger.sql.engine import Now
from delivery.adapters.ledger.sql.measured import ticks_from
from delivery.adapters.ledger.sql.records import Records
from delivery.adapters.ledger.sql.tables import MEASURING, SEGMENT
from delivery.adapters.ledger.units import Fold
from delivery.model.ids import ReleaseId
from delivery.model.shares import Shares
from delivery.model.verdict import Tick

_S = SEGMENT.c
AT_ONCE = 128
"""Segments that are read at once: however long a release is, little of it is in memory."""
SUMMED_KEPT = 1024


@dataclass(frozen=True, slots=True)
class _Summed:
    """Segments up to the one that begins at `first`, which has this hash."""

    first: int = 0
    hash: str = ""
    shares: Shares = field(default_factory=Shares)


_NOTHING = _Summed()


class TickRecords(Records):
    def __init__(self, url: str, fold: Fold, now: Now | None = None) -> None:
        super().__init__(url, fold, now)
        self._summed: Recent[ReleaseId, _Summed] = Recent(SUMMED_KEPT)

    def ticks(self, release: ReleaseId, after: int = 0, limit: int | None = None) -> tuple[Tick, ...]:
        found: list[Tick] = []
        with self._database.read() as connection:
            for ticks in self._parts(connection, release, after):
                found += [tick for tick in ticks if tick.number > after]
                if limit is not None and len(found) >= limit:
                    break
        return tuple(found[:limit])

    def _parts(self, connection: Connection, release: ReleaseId, after: int) -> Iterator[tuple[Tick, ...]]:
        """From the segment with the tick that follows, and from what is in none yet."""
        begin = select(func.max(_S.first)).where(_S.release == release, _S.first <= after + 1)
        first = connection.execute(begin).scalar() or 0
        query = select(_S.first, _S.ticks).where(_S.release == release).order_by(_S.first).limit(AT_ONCE)
        while rows := connection.execute(query.where(_S.first >= first)).all():
            yield from (ticks_from(row.ticks) for row in rows)
            first = rows[-1].first + 1
        yield self._not_in_segments(connection, release)

    def _not_in_segments(self, connection: Connection, release: ReleaseId) -> tuple[Tick, ...]:
        body = connection.execute(select(MEASURING.c.ticks).where(MEASURING.c.release == release)).scalar()
        return self._measured.read_ticks(release, body) if body is not None else ()

    def shares(self, release: ReleaseId) -> Shares:
        summed = self._summed.last(release, _NOTHING)
        with self._database.read() as connection:
            while (more := _more(connection, release, summed)) != summed:
                summed = more
            live = self._not_in_segments(connection, release)
        self._summed.keep(release, summed)
        return summed.shares.then(live)


def _more(connection: Connection, release: ReleaseId, known: _Summed) -> _Summed:
    """With the segments that follow; from the beginning where the last of the known ones is not there any more."""
    new = case((_S.first > known.first, _S.ticks))
    query = select(_S.first, _S.hash, new.label("ticks")).where(_S.release == release, _S.first >= known.first)
    rows = connection.execute(query.order_by(_S.first).limit(AT_ONCE)).all()
    if known.first and (not rows or (rows[0].first, rows[0].hash) != (known.first, known.hash)):
        return _NOTHING
    shares = known.shares
    for row in rows:
        shares = shares if row.ticks is None else shares.then(ticks_from(row.ticks))
    return _Summed(rows[-1].first, rows[-1].hash, shares) if rows else known
