"""A storm over real processes for a while, then calm, and all that must hold at rest."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from delivery.model.ids import SECOND
from delivery.ports.history import Filter
from delivery.ports.rows import OutboxState
from tests.faults.checks import broken
from tests.faults.world import RealWorld
from tests.simulation.people import People
from tests.simulation.profiles import Profile

Deed = Callable[[], object]
RESTS_WITHIN = 120.0
"""Seconds in which everything has to come to its end once nothing goes wrong: leases, retries, people's help."""


@dataclass(frozen=True)
class Weather:
    """`deeds` weighs what goes wrong, one every `gap` seconds.

    `rate`: the share of calls to meshes that fail. However slow the machine is, `least` deeds happen.
    """

    deeds: Mapping[str, int]
    gap: tuple[float, float]
    rate: float = 0.0
    ci: tuple[int, int] = (100_000, 600_000)
    least: int = 0


@dataclass
class Found:
    """What a round saw."""

    seconds: float = 0.0
    happened: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    writes: int = 0
    broken: list[str] = field(default_factory=list)


def play(world: RealWorld, weather: Weather, seconds: float, deeds: Mapping[str, Deed]) -> Found:
    """One round. Whatever fails in a thread of ours, people's or CI's, is told as what was found."""
    begun, found = time.monotonic(), Found()
    profile = Profile("real", world.services, ci=weather.ci, people=(150_000, 700_000))
    people = People(cast(Any, world), profile)
    world.work()
    first = threading.Thread(target=_told, args=(people.first_versions, found), daemon=True)
    first.start()
    threads = [
        threading.Thread(target=_told, args=(body, found), daemon=True) for body in (people.ci, people.press_buttons)
    ]
    for thread in threads:
        thread.start()
    world.outside.set_rate(weather.rate)
    _storm(world, weather, begun + seconds, deeds)
    world.mend()
    for thread in (first, *threads):
        thread.join(RESTS_WITHIN)
    calm = _calm(world, people, found)
    found.broken += [] if calm else [f"invariant 2: not at rest within {RESTS_WITHIN:.0f} s"]
    found.broken += broken(world, people)
    found.happened = world.happened
    found.refused = world.told["refused"]
    found.writes = len(world.told["writes"])
    found.ends = Counter(stored.release.phase.value for stored in world.ledger.page(Filter(), 1_000_000))
    found.seconds = time.monotonic() - begun
    return found


def _storm(world: RealWorld, weather: Weather, end: float, deeds: Mapping[str, Deed]) -> None:
    names, weights = list(weather.deeds), list(weather.deeds.values())
    while time.monotonic() < end or sum(world.happened[name] for name in names) < weather.least:
        time.sleep(world.random.uniform(*weather.gap))
        name = world.random.choices(names, weights)[0]
        world.happened[name] += 1
        deeds[name]()
        world.work()


def _calm(world: RealWorld, people: People, found: Found) -> bool:
    """Gives everything what it waits for, until nothing is left to do."""
    end = time.monotonic() + RESTS_WITHIN
    helper = threading.Thread(target=_told, args=(people.finish, found), daemon=True)
    helper.start()
    while time.monotonic() < end:
        time.sleep(0.5)
        world.work()
        if not helper.is_alive() and not _waits(world):
            return True
    return False


def _waits(world: RealWorld) -> bool:
    soon = world.clock.now() + 3600 * SECOND
    due = any(row.due_at is not None and row.due_at < soon for row in world.ledger.rows())
    return due or bool(world.ledger.outbox(OutboxState.WAITING, 1))


def _told(body: Deed, found: Found) -> None:
    try:
        body()
    except Exception as error:
        found.broken.append(f"{getattr(body, '__name__', body)} failed: {error!r}")
        raise
