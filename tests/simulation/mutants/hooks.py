"""Mistakes with what a release waits for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from delivery.engine import hook
from delivery.engine.drain import Drain
from delivery.engine.fence import Fence
from delivery.engine.task import Done, Task
from delivery.engine.turn import Turn
from delivery.machine import calling
from delivery.machine.rules import progress
from delivery.model.effect import RunHook
from delivery.ports.hooks import HookCall
from tests.simulation.mutants.engine import performed, revert_only_if


@contextmanager
def waits_for_none() -> Iterator[None]:
    """A stage is entered whatever its hooks have come to."""
    with patch.object(progress, "calling", SimpleNamespace(owed=lambda release: None)):
        yield


@contextmanager
def revert_waits() -> Iterator[None]:
    """A way back waits until a hook that runs has ended."""

    with revert_only_if(lambda release: calling.running(release) is None):
        yield


@contextmanager
def called_first() -> Iterator[None]:
    """A hook is called before it is stored that it is."""
    decide = Drain._decide

    def at_once(self: Drain, turn: Turn, signals: Sequence[Any]) -> None:
        decide(self, turn, signals)
        active = turn.working.world.active
        if turn.working.row_changed and active is not None and calling.running(active) is not None:
            performed(self, turn)

    with patch.object(Drain, "_decide", at_once):
        yield


@contextmanager
def another_name() -> Iterator[None]:
    """An attempt is called otherwise each time that it is asked again, so that it is made again."""
    call = hook._call

    def anew(task: Task, *about: Any) -> HookCall:
        made = call(task, *about)
        return replace(made, key=f"{made.key}-{task.now}")

    with patch.object(hook, "_call", anew):
        yield


@contextmanager
def nobody_asked() -> Iterator[None]:
    """Whoever has lost the target calls its hook all the same."""
    run = hook.run

    def careless(task: Task, effect: RunHook, fence: Fence) -> Done:
        return run(task, effect, SimpleNamespace(owns=lambda row: True))  # type: ignore[arg-type]

    with patch.object(hook, "run", careless):
        yield
