import gc
import weakref

from fastapi.testclient import TestClient

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.machine.evolve import fold
from tests.api.world import ManualClock, World


def opened_and_closed(world: World) -> weakref.ref:
    with TestClient(world.app) as http:
        for path in ("/docs", "/openapi.json", "/v1/services", "/"):
            http.get(path)
    return weakref.ref(world.app)


def test_an_application_that_nobody_has_any_more_takes_no_memory():
    """What outlives it would be kept with its ledger, once for each test: collecting garbage becomes slow."""
    app = opened_and_closed(World(MemoryLedger(ManualClock(), fold)))
    gc.collect()
    assert app() is None
