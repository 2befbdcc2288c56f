"""The ledger in SQLite or PostgreSQL, by URL alone."""

from delivery.adapters.ledger.sql.history import SqlHistory
from delivery.adapters.ledger.sql.ledger import SqlLedger
from delivery.adapters.ledger.sql.migrate import upgrade

__all__ = ["SqlHistory", "SqlLedger", "upgrade"]
