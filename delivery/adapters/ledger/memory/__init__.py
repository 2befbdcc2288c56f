"""A ledger in plain dicts: the simulation runs on it, and whoever needs no disk."""

from delivery.adapters.ledger.memory.ledger import MemoryLedger

__all__ = ["MemoryLedger"]
