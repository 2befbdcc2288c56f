"""Two versions of the engine at once, as while it is being updated: other rules, the same stored facts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from delivery.machine import step
from delivery.machine.rules.common import NOTHING, Events, ignore
from delivery.machine.rules.measuring import measured
from delivery.machine.rules.mesh import refused_again
from delivery.machine.rules.progress import overdue
from delivery.machine.table import TABLE
from delivery.model.context import Context
from delivery.model.event import Phase, StagePassed
from delivery.model.release import Release
from delivery.model.signal import Measured, Nacked, Signal, Unconfirmed
from tests.simulation.scheduler import Scheduler

Rule = Callable[[Release, Any, Context], Events]


def _patient(release: Release, signal: Measured, context: Context) -> Events:
    """The older version never ended a bake early."""
    events = measured(release, signal, context)
    return tuple(event for event in events if not (isinstance(event, StagePassed) and event.why == "passed"))


OLDER: dict[tuple[Phase, type[Signal]], Rule] = {
    (Phase.BAKING, Measured): _patient,
    (Phase.SHIFTING, Nacked): refused_again,
    (Phase.SHIFTING, Unconfirmed): ignore,
}


@contextmanager
def two_versions(scheduler: Scheduler) -> Iterator[None]:
    """Processes that are marked as old decide by older rules."""

    def old() -> bool:
        actor = scheduler.current()
        return actor is not None and actor.process.old

    class Mixed(dict[Any, Any]):
        def __getitem__(self, pair: Any) -> Any:
            rule = newer[pair]
            return OLDER.get(pair, rule) if old() else rule

    def mixed_overdue(release: Release, context: Context) -> Events:
        return NOTHING if old() else overdue(release, context)

    newer = TABLE
    automatic = tuple(mixed_overdue if rule is overdue else rule for rule in step.AUTOMATIC)
    with patch.object(step, "TABLE", Mixed()), patch.object(step, "AUTOMATIC", automatic):
        yield
