"""A copy of what was committed, kept beside the ledger by folding the stored bytes of every commit anew."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from delivery.machine.evolve import evolve
from delivery.model.codec import StoredEvent, unseal
from delivery.model.event import Event
from delivery.model.ids import ReleaseId, TargetId
from delivery.model.release import Release
from delivery.ports.history import Filter
from delivery.ports.rows import Row
from tests.simulation.scheduler import Scheduler

EVERYTHING = 1_000_000


class InvariantBroken(BaseException):
    """Ends the schedule where it happened. No `except Exception` of the engine may swallow it."""


class Broken(list[str]):
    """What was broken. The first one ends the schedule."""

    def say(self, invariant: int | str, text: str) -> None:
        told = f"invariant {invariant}: {text}" if isinstance(invariant, int) else f"{invariant}: {text}"
        self.append(told)
        raise InvariantBroken(told)


class Ghost:
    """`states` has each release as it was after each of its events, `times` the true time at which each was committed.

    `lossy`: commits were lost in this schedule.
    """

    def __init__(self, scheduler: Scheduler, broken: Broken) -> None:
        self._scheduler, self._broken = scheduler, broken
        self.rows: dict[TargetId, Row] = {}
        self.releases: dict[ReleaseId, Release] = {}
        self.events: dict[ReleaseId, list[Event]] = {}
        self.states: dict[ReleaseId, list[Release]] = {}
        self.heads: dict[ReleaseId, list[str]] = {}
        self.times: dict[tuple[ReleaseId, int], int] = {}
        self.lossy = False

    def add(self, stored: StoredEvent) -> tuple[Release | None, Event, Release]:
        """Folds one more event; the release before and after it."""
        fact, before = read(stored), self.releases.get(stored.release)
        try:
            after = evolve(before, fact)
        except (LookupError, ValueError) as error:
            self._broken.say(3, f"{stored.release}: event {stored.seq} follows from nothing: {error!r}")
            raise
        self.releases[stored.release] = after
        self.events.setdefault(stored.release, []).append(fact)
        self.states.setdefault(stored.release, []).append(after)
        self.heads.setdefault(stored.release, []).append(stored.hash)
        self.times[stored.release, stored.seq] = self._scheduler.monotonic
        return before, fact, after

    def running(self) -> list[Release]:
        """Releases that are under way, by id."""
        return [one for _, one in sorted(self.releases.items()) if one.bound is not None and not one.phase.closed]

    def open_ones(self, target: TargetId) -> set[ReleaseId]:
        """Releases of a target that are not over."""
        return {one.id for one in self.releases.values() if one.target == target and not one.phase.closed}

    def resync(self, ledger: Any) -> None:
        """Reads everything from the ledger."""
        self.rows = {row.target.id: row for row in ledger.rows()}
        kept = [stored.release.id for stored in ledger.page(Filter(), EVERYTHING)]
        stored = {one: ledger.events(one, limit=EVERYTHING) for one in kept}
        self.events = {one: [read(event) for event in events] for one, events in stored.items()}
        self.heads = {one: [event.hash for event in events] for one, events in stored.items()}
        self.states = {one: list(_states(events)) for one, events in self.events.items()}
        self.releases = {one: states[-1] for one, states in self.states.items()}


def read(stored: StoredEvent) -> Event:
    """What the stored bytes say; the same bytes are looked at by many and read once."""
    return _said(stored.body, stored.said)


@lru_cache(maxsize=4096)
def _said(body: bytes, said: bytes) -> Event:
    return unseal(body, said)


def _states(events: list[Event]) -> Iterator[Release]:
    release: Release | None = None
    for event in events:
        release = evolve(release, event)
        yield release
