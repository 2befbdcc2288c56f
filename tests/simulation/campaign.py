"""One schedule of the simulation from a seed, and many of them."""

import hashlib
from collections import Counter
from dataclasses import dataclass

from delivery.ports.history import Filter
from tests.simulation.actors import Nemesis, Senders
from tests.simulation.checks import at_rest
from tests.simulation.world import Faults, World, Wrap

STORM_SECONDS = 60
REST_SECONDS = 500


@dataclass(frozen=True)
class Outcome:
    """`digest` is over the whole history: the same seed gives the same one anywhere."""

    seed: int
    broken: tuple[str, ...]
    happened: Counter[str]
    releases: int
    writes: int
    digest: str


def run(seed: int, wrap: Wrap | None = None, faults: Faults | None = None, *, failovers: bool = True) -> Outcome:
    """A storm with everything going wrong, then calm, then every invariant."""
    world = World(seed, wrap or (lambda port, name: port), faults or Faults(before=0.01, after=0.01, kill=0.004))
    senders = Senders(world)
    for name in ("one", "two", "three"):
        world.worker(name)
    world.scheduler.spawn("ci", senders.ci)
    world.scheduler.spawn("people", senders.people)
    world.scheduler.spawn("nemesis", Nemesis(world, failovers).body)
    world.scheduler.run(STORM_SECONDS * 1_000_000)
    world.quiet = True
    world.settle(20)
    helper = world.scheduler.spawn("helper", senders.finish)
    end = world.scheduler.monotonic + REST_SECONDS * 1_000_000
    while not helper.run.dead and world.scheduler.monotonic < end:
        world.scheduler.run(world.scheduler.monotonic + 5_000_000)
    world.settle(40)  # longer than any lease
    heads = sorted((stored.release.id, stored.head) for stored in world.ledger.page(Filter(), 100_000))
    digest = hashlib.sha256(repr(heads).encode()).hexdigest()
    broken = tuple(at_rest(world, senders))
    return Outcome(seed, broken, world.happened, len(heads), world.watch.writes, digest)
