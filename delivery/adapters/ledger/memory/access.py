"""Tokens that were handed out, and sessions of browsers."""

from delivery.adapters.ledger.memory.tables import Base
from delivery.model.frozen import replace
from delivery.model.ids import Micros, Principal
from delivery.ports.access import ApiToken, Session


class Access(Base):
    def add_token(self, token: ApiToken) -> bool:
        with self._transaction() as journal:
            if token.name in self._tables.tokens:
                return False
            journal.put(self._tables.tokens, token.name, token)
            return True

    def token(self, digest: str) -> ApiToken | None:
        return next((token for token in self.tokens() if token.digest == digest), None)

    def token_named(self, name: str) -> ApiToken | None:
        with self._lock:
            return self._tables.tokens.get(name)

    def tokens(self) -> tuple[ApiToken, ...]:
        with self._lock:
            return tuple(token for _, token in sorted(self._tables.tokens.items()))

    def token_used(self, name: str, at: Micros) -> None:
        with self._transaction() as journal:
            if token := self._tables.tokens.get(name):
                journal.put(self._tables.tokens, name, replace(token, used_at=at))

    def revoke_token(self, name: str, by: Principal, at: Micros) -> bool:
        with self._transaction() as journal:
            token = self._tables.tokens.get(name)
            if token is None or token.revoked_at is not None:
                return False
            journal.put(self._tables.tokens, name, replace(token, revoked_at=at, revoked_by=by))
            return True

    def open_session(self, session: Session, now: Micros) -> None:
        with self._transaction() as journal:
            for digest, one in list(self._tables.sessions.items()):
                if one.until < now:
                    journal.drop(self._tables.sessions, digest)
            journal.put(self._tables.sessions, session.digest, session)

    def session(self, digest: str) -> Session | None:
        with self._lock:
            return self._tables.sessions.get(digest)

    def close_session(self, digest: str) -> None:
        with self._transaction() as journal:
            journal.drop(self._tables.sessions, digest)
