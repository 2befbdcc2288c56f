"""Looks at each commit: what a target and its releases may become, and what must be stored together."""

from typing import TYPE_CHECKING

from delivery.model.event import Event, Promoted, StableFound
from delivery.model.ids import ReleaseId
from delivery.model.target import Target
from delivery.ports.rows import Committed, Result, Row, Unit
from tests.simulation.watch.copies import Copies
from tests.simulation.watch.facts import Facts
from tests.simulation.watch.ghost import Broken, Ghost
from tests.simulation.watch.hooks import Hooks

if TYPE_CHECKING:
    from tests.simulation.world import World

ONE_COMMIT = "one commit"
"""Closing a release, starting the next one and moving the stable pointer."""


class Commits:
    """`poisoned`: the scene has the database refuse something; otherwise nothing of ours may be refused."""

    def __init__(self, ghost: Ghost, world: "World", broken: Broken, hooks: Hooks, copies: Copies) -> None:
        self.poisoned = False
        self._ghost, self._broken = ghost, broken
        self._facts = Facts(ghost, world, broken, hooks, copies)

    def saw(self, unit: Unit, result: Committed) -> None:
        if result.result is not Result.DONE:
            if result.result is Result.POISON and not self.poisoned:
                self._broken.say("poison", f"the ledger refused a commit of {unit.target}: {result.error}")
            return
        facts: dict[ReleaseId, list[Event]] = {}
        for stored in unit.events:
            before, fact, after = self._ghost.add(stored)
            facts.setdefault(stored.release, []).append(fact)
            self._facts.saw(before, fact, after)
        for one in unit.releases:
            if self._ghost.releases[one.release.id] != one.release:
                self._broken.say(3, f"{one.release.id} was stored as something else than the fold of its events")
        self._facts.together(unit, facts)
        if unit.row is not None:
            self._row(unit, unit.row, facts)

    def _row(self, unit: Unit, row: Row, facts: dict[ReleaseId, list[Event]]) -> None:
        before = self._ghost.rows.get(row.target.id)
        self._ghost.rows[row.target.id] = row
        self._pointer(before.target if before else Target(row.target.id, "", ""), row.target, facts)
        self._belongs(row.target)
        if before and not unit.events and _semantic(before) == _semantic(row):
            self._broken.say(13, f"{row.target.id}: the version moved although nothing changed: {_said(unit)}")

    def _pointer(self, before: Target, after: Target, facts: dict[ReleaseId, list[Event]]) -> None:
        """The stable pointer moves with Promoted or StableFound, and only then."""
        promoted = [self._ghost.releases[one] for one, events in facts.items() if _has(events, Promoted)]
        found = [event for events in facts.values() for event in events if isinstance(event, StableFound)]
        if found:
            if after.stable not in [*(one.candidate for one in promoted), found[-1].stable]:
                self._broken.say(ONE_COMMIT, f"{after.id}: stable became {after.stable}, found was {found[-1].stable}")
            return
        moved = after.stable != before.stable
        wanted = {one.candidate for one in promoted}
        if moved != bool(promoted) and not (promoted and after.stable in wanted):
            self._broken.say(ONE_COMMIT, f"{after.id}: stable became {after.stable}, promoted were {sorted(facts)}")
        if promoted and after.stable not in wanted:
            self._broken.say(ONE_COMMIT, f"{after.id}: {promoted[0].id} was promoted, stable is {after.stable}")

    def _belongs(self, after: Target) -> None:
        """2, 10: every open release runs or waits, one runs, and nothing waits where nothing runs."""
        wanted = self._ghost.open_ones(after.id)
        held = [*after.queue, *((after.active,) if after.active else ())]
        if wanted != set(held) or len(held) != len(set(held)):
            self._broken.say(10, f"{after.id} has {held}, open are {sorted(wanted)}")
        if after.queue and after.active is None:
            self._broken.say(2, f"{after.id}: {after.queue} wait and nothing runs")


def _has(events: list[Event], kind: type[Event]) -> bool:
    return any(isinstance(event, kind) for event in events)


def _said(unit: Unit) -> str:
    return ", ".join(f"{row.key} {row.outcome} {row.reason}" for row in unit.inbox) or "a worker's commit"


def _semantic(row: Row) -> tuple[object, ...]:
    return row.target, row.failures, row.quarantined
