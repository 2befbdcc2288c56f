"""Rows that the machine cannot step, and rows that the database refuses."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from delivery.engine import drain
from delivery.machine.change import Change
from delivery.model.event import Phase
from delivery.model.ids import TargetId
from delivery.model.signal import Signal
from delivery.model.target import World
from delivery.ports.rows import Committed, Unit
from tests.simulation.mutants.mutant import Over
from tests.simulation.world import Wrap

ANY = tuple(Phase)


@contextmanager
def unsteppable(target: TargetId, phases: Sequence[Phase] = ANY) -> Iterator[None]:
    """Every step of this target's release raises, as a fault of ours would, in these phases."""
    advance = drain.advance  # type: ignore[attr-defined]  # it is replaced where it is used

    def poisoned(world: World, signal: Signal, context: Any) -> Change:
        if world.target.id == target and world.active is not None and world.active.phase in phases:
            raise ZeroDivisionError("a fault of ours")
        return advance(world, signal, context)

    with patch.object(drain, "advance", poisoned):
        yield


class _Refusing(Over):
    """A database that refuses what is to be committed for one target by a worker."""

    def __init__(self, port: Any, refuses: Callable[[Unit], bool]) -> None:
        super().__init__(port)
        self._refuses = refuses

    def commit(self, units: Sequence[Unit]) -> tuple[Committed, ...]:
        done: tuple[Committed, ...] = self._port.commit(
            [replace(unit, releases=()) if self._refuses(unit) else unit for unit in units]
        )
        return done


def unstorable(target: TargetId) -> Wrap:
    """Events of this target that a worker decides violate a constraint."""

    def refuses(unit: Unit) -> bool:
        return unit.owner is not None and unit.target == target and bool(unit.events)

    return lambda port, name: _Refusing(port, refuses) if name == "ledger" else port
