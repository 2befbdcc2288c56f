"""All parts of the SQL ledger together."""

from delivery.adapters.ledger.sql.access import Access
from delivery.adapters.ledger.sql.erasing import Erasing
from delivery.adapters.ledger.sql.history import SqlHistory
from delivery.adapters.ledger.sql.orders import Orders
from delivery.adapters.ledger.sql.queues import Queues
from delivery.adapters.ledger.sql.retention import Retention
from delivery.adapters.ledger.sql.targets import Targets
from delivery.adapters.ledger.sql.writing import Commits


class SqlLedger(Commits, Targets, Queues, Orders, Access, Retention, Erasing, SqlHistory):
    """Implements all ports of the ledger on `sqlite:///PATH` or `postgresql://...`, once migrated."""
