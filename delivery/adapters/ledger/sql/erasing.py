"""Names of people out of what is stored."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, delete, select, tuple_, update

from delivery.adapters.ledger import erasing
from delivery.adapters.ledger.sql import coding
from delivery.adapters.ledger.sql.access import token_from, token_values
from delivery.adapters.ledger.sql.dropping import Dropping
from delivery.adapters.ledger.sql.records import record_from
from delivery.adapters.ledger.sql.shape import RELEASE_SHAPE
from delivery.adapters.ledger.sql.tables import (
    ALERT,
    API_TOKEN,
    EVENT,
    INBOX,
    RECORD,
    RELEASE,
    SERVICE,
    SESSION,
    STOP,
    TARGET,
)
from delivery.adapters.ledger.sql.targets import ROWS
from delivery.model.codec import StoredEvent, canon
from delivery.model.erasure import Whom, without_by
from delivery.model.ids import Micros
from delivery.model.record import Entry
from delivery.ports.erasure import Step
from delivery.ports.rows import InboxState

_R = RELEASE.c
_OVER = (InboxState.DONE.value, InboxState.DISCARDED.value)


class Erasing(Dropping):
    def hindrances(self, whom: Whom) -> tuple[str, ...]:
        with self._database.read() as connection:
            return tuple(self._hindrances(connection, whom))[: erasing.ENOUGH]

    def _hindrances(self, connection: Connection, whom: Whom) -> Iterator[str]:
        for release, target in connection.execute(select(_R.id, _R.target).where(~_R.closed).order_by(_R.id)).all():
            if found := erasing.open_release(target, _events(connection, release), whom):
                yield found
        rows = [coding.row_from(row, row.body) for row in connection.execute(ROWS.order_by(TARGET.c.id))]
        stops = [coding.stop_from(columns) for columns in connection.execute(select(STOP).order_by(STOP.c.scope))]
        yield from erasing.open_orders(rows, stops, whom)
        waiting = select(INBOX).where(INBOX.c.state.not_in(_OVER)).order_by(INBOX.c.source, INBOX.c.key)
        for columns in connection.execute(waiting):
            if found := erasing.open_delivery(coding.delivery_from(columns), whom):
                yield found

    def erase_access(self, whom: Whom, at: Micros) -> Step:
        with self._database.write() as connection:
            return Step(
                _sessions(connection, whom)
                + _tokens(connection, whom, at)
                + _services(connection, whom)
                + _alerts(connection, whom)
                + _records(connection, whom)
            )

    def erase_deliveries(self, whom: Whom, after: str | None, most: int) -> Step:
        key = tuple_(INBOX.c.source, INBOX.c.key)
        query = select(INBOX).where(INBOX.c.state.in_(_OVER)).order_by(INBOX.c.source, INBOX.c.key).limit(most)
        if after is not None:
            query = query.where(key > tuple_(*after.split("\n", 1)))
        rows = 0
        with self._database.write() as connection:
            found = [coding.delivery_from(columns) for columns in connection.execute(query)]
            for row in found:
                if (changed := erasing.of_delivery(row, whom)) is not None:
                    own = update(INBOX).where(INBOX.c.source == row.source, INBOX.c.key == row.key)
                    connection.execute(own.values(coding.delivery_values(changed)))
                    rows += 1
        return Step(rows, f"{found[-1].source}\n{found[-1].key}" if len(found) == most else None)

    def erase_releases(self, whom: Whom, after: str | None, most: int, entry: Entry) -> Step:
        query = select(_R.id).where(_R.closed, _R.id > (after or "")).order_by(_R.id).limit(most)
        with self._database.write() as connection:
            self._alone(connection)
            ids = list(connection.execute(query).scalars())
            found = [one for id_ in ids if (one := erasing.of_release(_events(connection, id_), whom, self._fold))]
            for one in found:
                _rewrite(connection, one)
            if found:
                self._record(connection, erasing.recorded(entry, found))
        return Step(len(found), ids[-1] if len(ids) == most else None)


def _events(connection: Connection, release: str) -> Sequence[StoredEvent]:
    query = select(EVENT).where(EVENT.c.release == release).order_by(EVENT.c.seq)
    return [coding.event_from(columns) for columns in connection.execute(query)]


def _rewrite(connection: Connection, one: erasing.Rewritten) -> None:
    for event in one.events:
        own = update(EVENT).where(EVENT.c.release == event.release, EVENT.c.seq == event.seq)
        connection.execute(own.values(body=event.body, said=event.said))
    after = {"actor": one.release.actor, "shape": RELEASE_SHAPE, "body": canon(one.release), "erased": _R.erased + 1}
    connection.execute(update(RELEASE).where(_R.id == one.release.id).values(after))


def _sessions(connection: Connection, whom: Whom) -> int:
    found = [one.digest for one in connection.execute(select(SESSION)) if whom.is_(one.principal)]
    return connection.execute(delete(SESSION).where(SESSION.c.digest.in_(found))).rowcount if found else 0


def _tokens(connection: Connection, whom: Whom, at: Micros) -> int:
    rows = 0
    for columns in connection.execute(select(API_TOKEN)).mappings().all():
        token = token_from(columns)
        if (after := erasing.of_token(token, whom, at)) is not None:
            connection.execute(update(API_TOKEN).where(API_TOKEN.c.name == token.name).values(token_values(after)))
            rows += 1
    return rows


def _services(connection: Connection, whom: Whom) -> int:
    names = [one.name for one in connection.execute(select(SERVICE.c.name, SERVICE.c.applied_by)) if whom.is_(one[1])]
    change = update(SERVICE).where(SERVICE.c.name.in_(names)).values(applied_by=whom.stand_in)
    return connection.execute(change).rowcount if names else 0


def _alerts(connection: Connection, whom: Whom) -> int:
    rows = 0
    for columns in connection.execute(select(ALERT)).all():
        if (after := erasing.of_alert(coding.alert_from(columns), whom)) is not None:
            connection.execute(update(ALERT).where(ALERT.c.id == columns.id).values(coding.alert_values(after)))
            rows += 1
    return rows


def _records(connection: Connection, whom: Whom) -> int:
    rows = 0
    for columns in connection.execute(select(RECORD).where(RECORD.c.said != b"")).all():
        if (after := without_by(record_from(columns), whom)) is not None:
            connection.execute(update(RECORD).where(RECORD.c.n == after.n).values(said=after.said))
            rows += 1
    return rows
