"""One schedule of the simulation from a seed: a storm with lulls, then calm, then every invariant."""

import gc
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from delivery.ports.history import Filter
from delivery.ports.rows import OutboxState
from tests.simulation.nemesis import Nemesis
from tests.simulation.parts import SimClock
from tests.simulation.people import People
from tests.simulation.profiles import Draw, Profile, of_seed
from tests.simulation.rest import at_rest
from tests.simulation.versions import two_versions
from tests.simulation.watch.ghost import InvariantBroken
from tests.simulation.world import World, Wrap, unwrapped

SETTLED = 0.8
"""Share of the schedules that begin with something stable everywhere."""
WARM = 3_000_000
SETTLE = 10_000_000
REST = 240_000_000
"""What everything that still waits may take once nothing goes wrong: leases, retries, the help of people."""
IDLE = 5_000_000
LOOK = 1_000_000
ASKING = ("mesh.read", "mesh.write", "mesh.confirm", "mesh.publish", "workloads.ensure", "metrics.sample", "hooks.run")
"""Calls that are made only where something is to be done."""


@dataclass(frozen=True)
class Outcome:
    """`digest` is over every point that was passed: the same seed gives the same one anywhere. `trace` has the last."""

    seed: int
    profile: str
    broken: tuple[str, ...]
    happened: Counter[str]
    releases: int
    ends: Counter[str]
    writes: int
    checked: int
    digest: int
    trace: tuple[tuple[int, str, str], ...]


def each(seeds: Iterable[int], jobs: int, draw: Draw = of_seed) -> Iterator[Outcome]:
    """Plays the schedules of many seeds in so many processes; outcomes come in the order of the seeds.

    A process is exchanged now and then: a greenlet that was abandoned is never freed, nor is what it refers to.
    """
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=25) as pool:
        yield from pool.imap(partial(_drawn, draw), seeds, chunksize=4)


def _drawn(draw: Draw, seed: int) -> Outcome:
    return run(seed, draw(seed))


def run(
    seed: int,
    profile: Profile | None = None,
    wrap: Wrap = unwrapped,
    ledger: Callable[[SimClock], Any] | None = None,
) -> Outcome:
    """Plays the schedule of a seed, in the weather that it draws or in the one that is given."""
    profile = profile or of_seed(seed)
    world = World(seed, profile.services, wrap, profile.faults, ledger)
    people = People(world, profile)
    try:
        with _uncollected(), _rules(world, profile):
            _storm(world, people, profile)
            calm(world, people)
        world.watch.broken += at_rest(world, people)
    except InvariantBroken:
        pass
    return _outcome(seed, profile, world)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nearly all that a schedule makes lives to its end: looking for garbage meanwhile takes a tenth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _rules(world: World, profile: Profile) -> AbstractContextManager[object]:
    return two_versions(world.scheduler) if profile.older else nullcontext()


def _storm(world: World, people: People, profile: Profile) -> None:
    nemesis = Nemesis(world, people, profile)
    for number in range(profile.workers):
        world.worker(f"worker-{number}", old=profile.older and number == 0)
    if world.random.random() < SETTLED:
        world.scheduler.spawn("before", people.first_versions)
        world.run(WARM)
    for name, body in (
        ("ci", people.ci),
        ("people", people.press_buttons),
        ("owners", people.owners),
        ("weather", nemesis.weather),
        ("nemesis", nemesis.body),
        ("bounds", world.watch.bounds.body),
    ):
        world.scheduler.spawn(name, body)
    world.run(profile.waves * (profile.storm + profile.lull))


def calm(world: World, people: People) -> None:
    """Everything is mended, gets what it waits for, and ends."""
    world.mend()
    world.run(SETTLE)
    helper = world.scheduler.spawn("helper", people.finish)
    end = world.scheduler.monotonic + REST
    while world.scheduler.monotonic < end and (not helper.run.dead or waits(world)):
        world.run(LOOK)
    _idle(world)


def waits(world: World) -> bool:
    """Whether something is left to do that nobody has to ask for."""
    due = any(row.due_at is not None for row in world.ledger.rows())
    hangs = any(one.hangs_until + LOOK > world.scheduler.monotonic for one in world.workers.values())
    return due or hangs or bool(world.ledger.outbox(OutboxState.WAITING, 1))


def _idle(world: World) -> None:
    """18: where nothing is to be done, nothing is asked."""
    before, world.counting = world.calls.copy(), True
    world.run(IDLE)
    asked = world.calls - before
    for name in ASKING:
        if asked[name]:
            world.watch.broken.say(18, f"{asked[name]} calls of {name} while nothing is to be done")


def _outcome(seed: int, profile: Profile, world: World) -> Outcome:
    releases = [stored.release for stored in world.ledger.page(Filter(), 1_000_000)]
    return Outcome(
        seed=seed,
        profile=profile.name,
        broken=tuple(world.watch.broken),
        happened=world.happened,
        releases=len(releases),
        ends=Counter(release.phase.value for release in releases),
        writes=world.watch.routes.writes,
        checked=world.watch.bounds.checked,
        digest=world.scheduler.digest,
        trace=tuple(world.scheduler.trace),
    )
