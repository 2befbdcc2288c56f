"""Mistakes on the way home, and with what a version can carry."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from delivery.engine.drain import Drain
from delivery.engine.turn import Turn
from delivery.machine import advance, path, share
from delivery.machine.change import Change
from delivery.machine.rules import progress
from delivery.model.event import HomeBegun, HomeEntered
from delivery.model.release import Home, Release
from delivery.model.target import Retiring
from delivery.ports.workloads import Running
from tests.simulation.mutants.engine import performed
from tests.simulation.mutants.mutant import Over


class NeverAsks(Over):
    """Home is written without a look at who holds the target."""

    def promote(self, *asked: Any) -> Running:
        target, workload, version, _, token = asked
        found: Running = self._port.promote(target, workload, version, lambda: True, token)
        return found


class NoToken(Over):
    """Home is not written where it runs the version already, so that an older decision may still come."""

    def promote(self, *asked: Any) -> Running:
        found: Running = self._port.promote(*asked[:4])
        return found


@contextmanager
def enters_at_once() -> Iterator[None]:
    """Traffic goes home as soon as home has begun to change."""
    homeward = progress._homeward

    def both(release: Release, at: Any) -> Any:
        events = homeward(release, at)
        return (*events, HomeEntered(at=at)) if any(isinstance(event, HomeBegun) for event in events) else events

    with patch.object(progress, "_homeward", both):
        yield


@contextmanager
def patches_first() -> Iterator[None]:
    """Home is changed before it is stored that it is about to be."""
    decide = Drain._decide

    def at_once(self: Drain, turn: Turn, signals: Sequence[Any]) -> None:
        before = turn.working.world.active
        decide(self, turn, signals)
        after = turn.working.world.active
        if after is not None and after.home is Home.BEGUN and before is not None and before.home is None:
            performed(self, turn)

    with patch.object(Drain, "_decide", at_once):
        yield


@contextmanager
def ends_before_home_is_back() -> Iterator[None]:
    """A release that goes back is over as soon as its traffic is."""
    finish = progress.finish

    def early(release: Release, context: Any) -> Any:
        return finish(replace(release, home=None), context) if release.then is not None else finish(release, context)

    with patch("delivery.machine.step.AUTOMATIC", _with(finish, early)):
        yield


@contextmanager
def raises_before_capacity() -> Iterator[None]:
    """What the candidate can carry is not asked."""
    with patch.object(share, "enough", lambda release, stage: True):
        yield


@contextmanager
def copy_goes_early() -> Iterator[None]:
    """The copy is to go as soon as home has the traffic, proven or not."""
    taken = advance.taken

    def early(world: Any, moves: Sequence[Any]) -> Change:
        change = taken(world, moves)
        release = moves[-1].after if moves else None
        if release is None or release.home is not Home.ENTERED or path.capped(release):
            return change
        retiring = (Retiring(release.candidate, release.at, copy=True),)
        return Change(replace(change.world, target=replace(change.world.target, retiring=retiring)), change.moves)

    with patch.object(advance, "taken", early), patch.object(Turn, "_in_use", lambda self, entry: False):
        yield


def _with(rule: Callable[..., Any], other: Callable[..., Any]) -> tuple[Callable[..., Any], ...]:
    from delivery.machine import step

    return tuple(other if one is rule else one for one in step.AUTOMATIC)
