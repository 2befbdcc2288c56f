import pytest

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.machine.evolve import fold
from delivery.testing.contracts.ledger import LedgerContract
from delivery.testing.contracts.ledger_values import Watch


class MemoryWorld:
    def __init__(self) -> None:
        self.clock = Watch()
        self.ledger = self.other = MemoryLedger(self.clock, fold)


class TestMemoryLedger(LedgerContract):
    @pytest.fixture
    def world(self) -> MemoryWorld:
        return MemoryWorld()
