"""All parts of the memory ledger together."""

from delivery.adapters.ledger.memory.access import Access
from delivery.adapters.ledger.memory.commits import Commits
from delivery.adapters.ledger.memory.erasing import Erasing
from delivery.adapters.ledger.memory.history import History
from delivery.adapters.ledger.memory.orders import Orders
from delivery.adapters.ledger.memory.queues import Queues


class MemoryLedger(Commits, Orders, Queues, Access, Erasing, History):
    """Implements all ports of the ledger. `remember` transactions can be lost again, as in a failover."""

    def lose(self, transactions: int) -> int:
        """Takes back the newest transactions, of whatever kind; returns how many were remembered and are gone."""
        with self._lock:
            return sum(self._journal.lose() for _ in range(transactions))
