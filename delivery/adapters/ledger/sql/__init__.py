"""The ledger in SQLite or PostgreSQL, by URL alone."""

from delivery.adapters.ledger.sql.history import SqlHistory
from delivery.adapters.ledger.sql.ledger import SqlLedger
from delivery.adapters.ledger.sql.migrate import is_current, upgrade

__all__ = ["SqlHistory", "SqlLedger", "is_current", "upgrade"]
