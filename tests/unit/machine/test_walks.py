"""Random walks: whatever happens in whatever order, the invariants hold and nothing gets stuck."""

from delivery.machine.rules.common import ignore, look
from delivery.machine.rules.people import refuse
from delivery.machine.table import TABLE
from delivery.model.event import Phase
from delivery.model.signal import Signal
from tests.unit.machine.walk import Walk

WALKS, STEPS = 400, 80


def test_whatever_happens():
    """The pairs that mean something must all have come by, else the walks' silence says nothing."""
    seen: set[tuple[Phase, type[Signal]]] = set()
    for seed in range(WALKS):
        walk = Walk(seed)
        try:
            seen |= walk.run(STEPS).seen
        except Exception as error:
            error.add_note(f"seed {seed}, the last of it:\n" + "\n".join(walk.trace[-30:]))
            raise
    missed = {pair for pair, rule in TABLE.items() if rule not in (ignore, look, refuse) and pair not in seen}
    assert not missed
