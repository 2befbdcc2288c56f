"""Sessions of browsers."""

from typing import Any

from sqlalchemy import delete, insert, select

from delivery.adapters.ledger.sql.coding import plain
from delivery.adapters.ledger.sql.part import Part
from delivery.adapters.ledger.sql.tables import SESSION
from delivery.model.codec import canon
from delivery.model.ids import Micros, Principal
from delivery.model.role import Role
from delivery.ports.access import Session


class Access(Part):
    def open_session(self, session: Session, now: Micros) -> None:
        values = {
            "digest": session.digest,
            "way": session.way,
            "name": session.name,
            "principal": session.principal,
            "role": session.role.value,
            "groups": canon(session.groups),
            "until": session.until,
        }
        with self._database.write() as connection:
            connection.execute(delete(SESSION).where(SESSION.c.until < now))
            connection.execute(insert(SESSION).values(values))

    def session(self, digest: str) -> Session | None:
        with self._database.read() as connection:
            found = connection.execute(select(SESSION).where(SESSION.c.digest == digest)).one_or_none()
        return _session(found) if found else None

    def close_session(self, digest: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(SESSION).where(SESSION.c.digest == digest))


def _session(row: Any) -> Session:
    groups = tuple(plain(row.groups))
    return Session(row.digest, row.way, row.name, Principal(row.principal), Role(row.role), groups, Micros(row.until))
