"""The simulation's checkers over what the database and the outside say when all is at rest."""

from typing import Any, cast

from delivery.model.event import Level, TrafficConfirmed
from tests.faults.world import RealWorld
from tests.simulation.people import People
from tests.simulation.rest import at_rest
from tests.simulation.watch.copies import Copies
from tests.simulation.watch.ghost import Broken, Ghost, InvariantBroken
from tests.simulation.watch.homes import Homes
from tests.simulation.watch.routes import Routes


def broken(world: RealWorld, people: People) -> list[str]:
    """Every broken invariant, in words."""
    world.told = world.outside.told()
    anything = cast(Any, world)
    said = Broken()
    ghost = Ghost(anything.scheduler, said)
    ghost.resync(world.ledger)
    homes, copies = Homes(ghost, anything, said), Copies(anything, said)
    routes = Routes(ghost, anything.scheduler, said, homes, copies)
    for entry, running, committed in world.told["writes"]:
        try:
            if not committed:
                said.say(5, f"{entry.stamp.release}: {entry.route.traffic} is written before that is stored")
            if entry.stamp is not None:
                routes.written(entry, entry.stamp, running)
        except InvariantBroken:
            continue
    return [*said, *_unproven(world, ghost), *at_rest(anything, people)]


def _unproven(world: RealWorld, ghost: Ghost) -> list[str]:
    """11: every confirmation that is on record was true: all proxies ran it when they were asked."""
    proven = world.told["proven"]
    return [
        f"invariant 11: {release} is confirmed at {event.dseq}, and no proxies were found to run it"
        for release, events in ghost.events.items()
        for event in events
        if isinstance(event, TrafficConfirmed)
        and event.level is not Level.WRITTEN
        and (ghost.releases[release].target, release, event.dseq) not in proven
    ]
