"""Deterministic concurrency: each actor is a greenlet, and every port call is a point where another may go on.

The engine's code runs unchanged. A crash is a greenlet that is never resumed, and kept referenced until the end: one
that is dropped would run its `finally` blocks, which kill -9 never does.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from greenlet import getcurrent, greenlet

Hook = Callable[["Actor", str], None]


class SimulationStuck(AssertionError):
    """Nobody can go on although the horizon is not reached."""


@dataclass(eq=False)
class Actor:
    """`dead` ones are never resumed. `wakes` is the simulated time before which it does not go on."""

    name: str
    run: greenlet
    wakes: int = 0
    dead: bool = False


@dataclass
class Scheduler:
    """Time is in microseconds and moves only when everybody sleeps, or when the nemesis moves it."""

    seed: int
    now: int = 1_700_000_000_000_000
    actors: list[Actor] = field(default_factory=list)
    graveyard: list[Actor] = field(default_factory=list)
    hooks: list[Hook] = field(default_factory=list)
    steps: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.monotonic = 0
        self.hub = getcurrent()

    def spawn(self, name: str, body: Callable[[], Any]) -> Actor:
        actor = Actor(name, greenlet(body, parent=self.hub), self.monotonic)
        self.actors.append(actor)
        return actor

    def current(self) -> Actor | None:
        """The actor that runs now; None in the hub, where port calls go straight through."""
        here = getcurrent()
        return next((actor for actor in self.actors if actor.run is here), None)

    def point(self, name: str) -> None:
        """Lets the hub decide who goes on; called before and after every port call."""
        actor = self.current()
        if actor is None:
            return
        for hook in self.hooks:
            hook(actor, name)
        self.hub.switch()

    def sleep(self, micros: int) -> None:
        actor = self.current()
        if actor is None:
            raise RuntimeError("only an actor can sleep")
        actor.wakes = self.monotonic + micros
        self.hub.switch()

    def kill(self, actor: Actor) -> None:
        """Abandons the actor where it stands."""
        actor.dead = True

    def run(self, until: int) -> None:
        """Runs until the monotonic time `until`, or until nobody is left."""
        while self.monotonic < until:
            self._bury()
            ready = [actor for actor in self.actors if actor.wakes <= self.monotonic]
            if not ready:
                if not self.actors:
                    return
                self.advance(min(actor.wakes for actor in self.actors) - self.monotonic)
                continue
            self.steps += 1
            self.advance(self.random.randrange(0, 2_000))
            self.random.choice(ready).run.switch()

    def advance(self, micros: int) -> None:
        """Both clocks go on."""
        self.monotonic += micros
        self.now += micros

    def _bury(self) -> None:
        for actor in [actor for actor in self.actors if actor.dead or actor.run.dead]:
            self.actors.remove(actor)
            self.graveyard.append(actor)


class Switching:
    """A port whose every call is two points: before and after. Faults are injected by `fault(name, when)`."""

    def __init__(self, port: Any, name: str, scheduler: Scheduler, fault: Callable[[str, str], None]) -> None:
        self._port, self._name, self._scheduler, self._fault = port, name, scheduler, fault

    def __getattr__(self, method: str) -> Any:
        inner = getattr(self._port, method)
        name = f"{self._name}.{method}"

        def call(*args: Any, **kwargs: Any) -> Any:
            self._scheduler.point(f"{name}<")
            self._fault(name, "before")
            result = inner(*args, **kwargs)
            self._fault(name, "after")
            self._scheduler.point(f"{name}>")
            return result

        return call
