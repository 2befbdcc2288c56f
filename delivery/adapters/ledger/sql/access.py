"""Tokens that were handed out, and sessions of browsers."""

from dataclasses import fields
from typing import Any

from sqlalchemy import RowMapping, Select, delete, insert, select, update

from delivery.adapters.ledger.sql.coding import plain
from delivery.adapters.ledger.sql.part import Part
from delivery.adapters.ledger.sql.tables import API_TOKEN, SESSION
from delivery.adapters.ledger.sql.upsert import INSERT_TOKEN
from delivery.model.codec import canon
from delivery.model.ids import Micros, Principal
from delivery.model.role import Role
from delivery.model.scope import Scope
from delivery.ports.access import ApiToken, Session

_T = API_TOKEN.c


class Access(Part):
    def add_token(self, token: ApiToken) -> bool:
        with self._database.write() as connection:
            return connection.execute(INSERT_TOKEN[self._database.sqlite], token_values(token)).rowcount == 1

    def token(self, digest: str) -> ApiToken | None:
        return self._token(select(API_TOKEN).where(_T.digest == digest))

    def token_named(self, name: str) -> ApiToken | None:
        return self._token(select(API_TOKEN).where(_T.name == name))

    def _token(self, query: Select[Any]) -> ApiToken | None:
        with self._database.read() as connection:
            found = connection.execute(query).mappings().one_or_none()
        return token_from(found) if found else None

    def tokens(self) -> tuple[ApiToken, ...]:
        with self._database.read() as connection:
            return tuple(token_from(row) for row in connection.execute(select(API_TOKEN).order_by(_T.name)).mappings())

    def token_used(self, name: str, at: Micros) -> None:
        with self._database.write() as connection:
            connection.execute(update(API_TOKEN).where(_T.name == name).values(used_at=at))

    def revoke_token(self, name: str, by: Principal, at: Micros) -> bool:
        change = update(API_TOKEN).where(_T.name == name, _T.revoked_at.is_(None))
        with self._database.write() as connection:
            return connection.execute(change.values(revoked_at=at, revoked_by=by)).rowcount == 1

    def open_session(self, session: Session, now: Micros) -> None:
        with self._database.write() as connection:
            connection.execute(delete(SESSION).where(SESSION.c.until < now))
            connection.execute(insert(SESSION).values(token_values(session)))

    def session(self, digest: str) -> Session | None:
        with self._database.read() as connection:
            query = select(SESSION).where(SESSION.c.digest == digest)
            found = connection.execute(query).mappings().one_or_none()
        return _session(found) if found else None

    def close_session(self, digest: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(SESSION).where(SESSION.c.digest == digest))


def token_values(value: ApiToken | Session) -> dict[str, Any]:
    """Columns are named as fields; lists and scopes are JSON."""
    found = {field.name: getattr(value, field.name) for field in fields(value)}
    structured = {name: canon(one) for name, one in found.items() if isinstance(one, tuple | Scope)}
    return found | structured | {"role": value.role.value}


def token_from(row: RowMapping) -> ApiToken:
    scope = Scope(**{name: tuple(listed) for name, listed in plain(row["scope"]).items()})
    return ApiToken(**{**_shared(row), "scope": scope})


def _session(row: RowMapping) -> Session:
    return Session(**_shared(row))


def _shared(row: RowMapping) -> dict[str, Any]:
    return {**row, "role": Role(row["role"]), "groups": tuple(plain(row["groups"]))}
