"""Claims, snapshots and the fence's side of a row."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Update, case, func, insert, select, update

from delivery.adapters.ledger.sql import coding
from delivery.adapters.ledger.sql.part import Part, past, read_events
from delivery.adapters.ledger.sql.tables import EVENT, MEASURING, RELEASE, TARGET, TARGET_STATE
from delivery.adapters.ledger.sql.upsert import INSERT_TARGET
from delivery.adapters.ledger.units import parts_of
from delivery.model.codec import canon
from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.release import Release
from delivery.model.since import READS
from delivery.ports.rows import BEYOND, Measuring, Row, Snapshot, StoredRelease

_C = TARGET.c
_READABLE = _C.requires <= READS
ROWS = select(TARGET, TARGET_STATE.c.body).join_from(TARGET, TARGET_STATE, _C.id == TARGET_STATE.c.id)
_COLUMNS = ("id", "seq", "head", "shape", "body", "erased")
RELEASES = select(*(RELEASE.c[name] for name in _COLUMNS))
_HEADS = select(RELEASE.c.id, RELEASE.c.head, RELEASE.c.erased)


class Targets(Part):
    def claim(self, clusters: Collection[str], owner: str, lease: Micros, limit: int) -> tuple[TargetId, ...]:
        found: list[Any] = []
        with self._database.write() as connection:
            for kind in _KINDS:
                if len(found) < limit:
                    statement = self._claim(clusters, owner, lease, limit - len(found), kind)
                    found += sorted(connection.execute(statement), key=lambda columns: (columns.due_at, columns.id))
        return tuple(TargetId(columns.id) for columns in found)

    def _claim(self, clusters: Collection[str], owner: str, lease: Micros, limit: int, kind: "_Kind") -> Update:
        now = self._database.now()
        due = (
            select(_C.id)
            .where(*kind(now), _free(now), _C.cluster.in_(list(clusters)), _READABLE)
            .order_by(_C.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        return (
            update(TARGET)
            .where(_C.id == due.c.id)
            .values(owner=owner, lease_until=now + lease, woken_at=None)
            .returning(_C.id, _C.due_at)
        )

    def lateness(self, clusters: Collection[str]) -> tuple[int, Micros]:
        now = self._database.now()
        query = select(func.count(), func.coalesce(func.max(now - _C.due_at), 0)).where(
            _C.due_at.is_not(None), _C.due_at <= now, _free(now), _C.cluster.in_(list(clusters))
        )
        with self._database.read() as connection:
            number, late = connection.execute(query).one()
        return number, Micros(late)

    def load(self, targets: Collection[TargetId]) -> Mapping[TargetId, Snapshot]:
        with self._database.read() as connection:
            rows = [
                coding.row_from(columns, columns.body)
                for columns in connection.execute(ROWS.where(_C.id.in_(list(targets)), _READABLE))
            ]
            wanted = {row.target.id: _releases_of(row) for row in rows}
            stored = self._read_releases(connection, {release for ids in wanted.values() for release in ids})
            measuring = self._read_measuring(connection, [row.target.active for row in rows if row.target.active])
        return {
            row.target.id: Snapshot(
                row,
                {release: stored[release] for release in wanted[row.target.id] if release in stored},
                measuring.get(row.target.active) if row.target.active else None,
            )
            for row in rows
        }

    def unreadable(self, targets: Collection[TargetId]) -> frozenset[TargetId]:
        query = select(_C.id).where(_C.id.in_(list(targets)), ~_READABLE)
        with self._database.read() as connection:
            return frozenset(map(TargetId, connection.execute(query).scalars()))

    def require(self, service: str, least: int) -> None:
        lacking = (_C.service == service, _C.requires < least)
        with self._database.write() as connection:
            connection.execute(select(_C.id).where(*lacking).order_by(_C.id).with_for_update())  # in everybody's order
            connection.execute(update(TARGET).where(*lacking).values(requires=least))

    def _read_releases(self, connection: Connection, ids: Collection[ReleaseId]) -> dict[ReleaseId, StoredRelease]:
        """Most are known by their heads: their bodies, which are most of what there is, are not read again."""
        if not ids:
            return {}
        found: dict[ReleaseId, StoredRelease] = {}
        unread: list[ReleaseId] = []
        for columns in connection.execute(_HEADS.where(RELEASE.c.id.in_(list(ids)))):
            known = self._decoded.find((columns.id, columns.head, columns.erased))
            if known is None:
                unread.append(columns.id)
            else:
                found[columns.id] = StoredRelease(known, columns.head)
        if unread:
            rows = connection.execute(RELEASES.where(RELEASE.c.id.in_(unread)))
            found |= {columns.id: self._stored(connection, columns) for columns in rows}
        return found

    def _read_measuring(self, connection: Connection, ids: Collection[ReleaseId]) -> dict[ReleaseId, Measuring]:
        if not ids:
            return {}
        found = connection.execute(select(MEASURING).where(MEASURING.c.release.in_(list(ids))))
        return {columns.release: self._measured.read(columns) for columns in found}

    def holds(self, target: TargetId, owner: str, version: int) -> bool:
        query = select(_C.id).where(*self._held(target, owner, version))
        with self._database.read() as connection:
            return connection.execute(query).one_or_none() is not None

    def bump_epoch(self, target: TargetId, owner: str, version: int, above: int = 0) -> int | None:
        seen = case((_C.epoch > above, _C.epoch), else_=above)
        statement = (
            update(TARGET)
            .where(*self._held(target, owner, version))
            .values(epoch=seen + 1, writer=owner)
            .returning(_C.epoch)
        )
        with self._database.write() as connection:
            epoch: int | None = connection.execute(statement).scalar_one_or_none()
            return epoch

    def _held(self, target: TargetId, owner: str, version: int) -> tuple[ColumnElement[bool], ...]:
        return (
            _C.id == target,
            _C.owner == owner,
            _C.version == version,
            _C.lease_until > self._database.now(),
        )

    def settle(
        self, target: TargetId, owner: str, settled: tuple[int, ReleaseId, int], content: str, at: Micros
    ) -> bool:
        epoch, release, dseq = settled
        statement = (
            update(TARGET)
            .where(_C.id == target, _C.owner == owner, _C.epoch == epoch)
            .values(settled_epoch=epoch, settled_release=release, settled_dseq=dseq, content=content, written_at=at)
        )
        with self._database.write() as connection:
            return connection.execute(statement).rowcount == 1

    def create_target(self, row: Row) -> bool:
        with self._database.write() as connection:
            statement = INSERT_TARGET[self._database.sqlite]
            if connection.execute(statement, coding.row_values(row)).rowcount != 1:
                return False
            connection.execute(insert(TARGET_STATE), {"id": row.target.id, "body": canon(row.target)})
            return True

    def targets(self, service: str) -> tuple[TargetId, ...]:
        query = select(_C.id).where(_C.service == service).order_by(_C.id)
        with self._database.read() as connection:
            return tuple(TargetId(target) for target in connection.execute(query).scalars())

    def releases(self, ids: Collection[ReleaseId]) -> Mapping[ReleaseId, StoredRelease]:
        with self._database.read() as connection:
            return self._read_releases(connection, ids)

    def head_at(self, release: ReleaseId, seq: int) -> str | None:
        query = select(EVENT.c.hash).where(EVENT.c.release == release, EVENT.c.seq == seq)
        with self._database.read() as connection:
            head: str | None = connection.execute(query).scalar_one_or_none()
            return head

    def gates_before(self, release: Release) -> Mapping[str, object]:
        own, service = RELEASE.c, parts_of(release.target)[0]
        query = (
            select(MEASURING)
            .join_from(RELEASE, MEASURING, MEASURING.c.release == own.id)
            .where(own.service == service, own.target == release.target, own.id < release.id)
            .order_by(own.id.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            found = connection.execute(query).one_or_none()
        return self._measured.read(found).gates if found is not None else {}

    def release_at(self, release: ReleaseId, seq: int) -> Release | None:
        with self._database.read() as connection:
            events = read_events(connection, release, seq)
        return self._fold(events) if events else None


def _free(now: ColumnElement[int]) -> ColumnElement[bool]:
    """Nobody holds it."""
    return past(_C.lease_until, now)


def _urgent(now: ColumnElement[int]) -> tuple[ColumnElement[bool], ...]:
    return _C.urgent.is_(True), _C.due_at.is_not(None), past(_C.due_at, now)


def _due(now: ColumnElement[int]) -> tuple[ColumnElement[bool], ...]:
    return _C.urgent.is_(False), _C.due_at.is_not(None), _C.due_at <= now


def _beyond(now: ColumnElement[int]) -> tuple[ColumnElement[bool], ...]:
    """Due by a clock that has gone back since."""
    return _C.urgent.is_(False), _C.due_at.is_not(None), _C.due_at > now + BEYOND


_Kind = Callable[[ColumnElement[int]], tuple[ColumnElement[bool], ...]]
_KINDS: tuple[_Kind, ...] = (_urgent, _due, _beyond)  # one index range each


def _releases_of(row: Row) -> tuple[ReleaseId, ...]:
    target = row.target
    return tuple(release for release in (target.active, *target.queue, target.last) if release)
