"""Sessions of browsers."""

from delivery.adapters.ledger.memory.tables import Base
from delivery.model.ids import Micros
from delivery.ports.access import Session


class Access(Base):
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
