"""Deterministic concurrency: each actor is a greenlet, and every port call is a point where another may go on.

The engine's code runs unchanged. A crash is a greenlet that is never resumed, and kept referenced until the end: one
that is dropped would run its `finally` blocks, which kill -9 never does.
"""

import random
import zlib
from bisect import insort
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from operator import attrgetter
from typing import Any

from greenlet import getcurrent, greenlet

LONGEST_STEP = 2_000
"""Microseconds that pass at most between two points."""
BEGINNING = 1_700_000_000_000_000
FOREVER = 2**62


@dataclass(eq=False)
class Process:
    """Actors that die and stand still together, as the threads of one process do. `old`: an older version of us.

    `hangs_until`: some call of it does not come back before. `failed`: when the database failed it last.
    """

    name: str
    old: bool = False
    stopped_until: int = 0
    hangs_until: int = 0
    failed: int = -1
    dead: bool = False
    actors: list["Actor"] = field(default_factory=list)


@dataclass(eq=False)
class Actor:
    """`wakes` is the simulated time before which it does not go on. Dead ones are never resumed.

    `number` orders actors by when they were spawned; `ready`: it goes on whenever it is chosen; `gone`: it
    is over, or was killed.
    """

    name: str
    run: greenlet
    process: Process
    number: int
    wakes: int = 0
    ready: bool = False
    gone: bool = False

    @property
    def goes_on(self) -> int:
        """When it may go on, at the earliest."""
        return max(self.wakes, self.process.stopped_until)


class Scheduler:
    """Time is in microseconds and moves only between points, or when everybody sleeps.

    `digest` is over every point that was passed; `trace` has the last ones, for people.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.beginning = BEGINNING + self.random.randrange(3_600_000_000)
        self.monotonic = 0
        self.trace: deque[tuple[int, str, str]] = deque(maxlen=400)
        self._passed: list[str] = []
        self._digest = 0
        self.graveyard: list[Actor] = []
        self._hub = getcurrent()
        self._draw, self._until = self.random.random, 0
        self.actors: list[Actor] = []
        self._spawned = self._waits = 0
        self._ready: list[Actor] = []
        self._later: list[tuple[int, int, Actor]] = []
        self._current: Actor | None = None

    @property
    def now(self) -> int:
        """The true time of day, whatever the clocks say."""
        return self.beginning + self.monotonic

    @property
    def digest(self) -> int:
        self._digest = zlib.crc32("".join(self._passed).encode(), self._digest)
        self._passed.clear()
        return self._digest

    def spawn(self, name: str, body: Callable[[], Any], process: Process | None = None) -> Actor:
        """Starts an actor, in a process of its own where none is given."""
        process = process or Process(name)
        self._spawned += 1
        actor = Actor(name, greenlet(body, parent=self._hub), process, self._spawned, self.monotonic)
        process.actors.append(actor)
        self.actors.append(actor)
        self._wait(actor)
        return actor

    def current(self) -> Actor | None:
        """The actor that runs now; None in the hub, where port calls go straight through."""
        return self._current

    def point(self, name: str) -> None:
        """Whoever is drawn goes on; called before and after every port call."""
        actor = self._current
        if actor is None:
            return
        self._passed.append(f"{actor.name} {name}")
        self.trace.append((self.monotonic, actor.name, name))
        self._pass_on(actor)

    def sleep(self, micros: int) -> None:
        """The running actor goes on after this long, or when somebody wakes it."""
        actor = self._current
        if actor is None:
            raise RuntimeError("only an actor can sleep")
        actor.wakes = self.monotonic + micros
        self._pass_on(actor)

    def wake(self, actor: Actor) -> None:
        if actor.wakes > self.monotonic:
            actor.wakes = self.monotonic
            self._wait(actor)

    def kill(self, process: Process) -> None:
        """Abandons all of the process where it stands; the running actor too, which never comes back from here."""
        process.dead = True
        self._remove([actor for actor in self.actors if actor.process is process])
        if self._current is not None and self._current.process is process:
            self._pass_on(self._current)

    def stop(self, process: Process, micros: int) -> None:
        """SIGSTOP, and SIGCONT after this long."""
        process.stopped_until = self.monotonic + micros
        for actor in process.actors:
            if actor.ready:
                self._rest(actor)
            elif not actor.gone:
                self._wait(actor)
        if self._current is not None and self._current.process is process:
            self._pass_on(self._current)

    def run(self, until: int) -> None:
        """Runs until the monotonic time `until`, or until nobody is left."""
        self._until = until
        while (actor := self._next()) is not None:
            self._current = actor
            try:
                actor.run.switch()
            finally:
                self._back()

    def _back(self) -> None:
        """The hub goes on: the actor that ran gave way to nobody, or is over."""
        over, self._current = self._current, None
        if over is not None and over.run.dead:
            self._remove([over])

    def _next(self) -> Actor | None:
        """Draws who goes on; None when the time is over."""
        ready, later = self._ready, self._later
        while self.monotonic < self._until and self.actors:
            while later and later[0][0] <= self.monotonic:
                self._look(heappop(later)[2])
            if ready:
                self.monotonic += int(self._draw() * LONGEST_STEP)
                return ready[int(self._draw() * len(ready))]
            self.monotonic = min(self._until, later[0][0]) if later else self._until
        return None

    def _pass_on(self, actor: Actor) -> None:
        """From the running actor straight to the next one, which is often itself; the hub has beginnings and ends."""
        if actor.ready and (actor.wakes > self.monotonic or actor.process.stopped_until > self.monotonic):
            self._rest(actor)
        chosen = self._next()
        if chosen is actor:
            return
        self._current = chosen
        (self._hub if chosen is None else chosen.run).switch()

    def _look(self, actor: Actor) -> None:
        """Its time may have come: unless it went on before, is no more, or stands still by now."""
        if actor.ready or actor.gone:
            return
        if actor.goes_on > self.monotonic:
            self._wait(actor)
            return
        actor.ready = True
        insort(self._ready, actor, key=_number)

    def _wait(self, actor: Actor) -> None:
        self._waits += 1
        heappush(self._later, (actor.goes_on, self._waits, actor))

    def _rest(self, actor: Actor) -> None:
        actor.ready = False
        self._ready.remove(actor)
        self._wait(actor)

    def _remove(self, actors: list[Actor]) -> None:
        for actor in actors:
            if actor.gone:
                continue
            actor.gone = True
            self.actors.remove(actor)
            self.graveyard.append(actor)
            if actor.ready:
                actor.ready = False
                self._ready.remove(actor)


_number = attrgetter("number")


class Switching:
    """A port whose every call is two points, before and after. `fault(port, name, when)` may raise or never return."""

    def __init__(self, port: Any, name: str, scheduler: Scheduler, fault: Callable[[Any, str, str], None]) -> None:
        self._port, self._name, self._scheduler, self._fault = port, name, scheduler, fault

    def __getattr__(self, method: str) -> Any:
        inner, point, fault = getattr(self._port, method), self._scheduler.point, self._fault
        name = f"{self._name}.{method}"
        before, after, port = f"{name}<", f"{name}>", self._port

        def call(*args: Any, **kwargs: Any) -> Any:
            point(before)
            fault(port, name, "before")
            result = inner(*args, **kwargs)
            fault(port, name, "after")
            point(after)
            return result

        self.__dict__[method] = call
        return call


class GreenCall:
    """A job's actor. Once it is given up it goes on by itself and its result is dropped, as with threads."""

    def __init__(self, given_up: Exception) -> None:
        self._given_up, self._outcome, self._dropped = given_up, None, False
        self.over = False

    def end(self, outcome: Any) -> None:
        self._outcome, self.over = outcome, True

    def result(self) -> Any:
        self._dropped = self._dropped or not self.over
        return self._given_up if self._dropped else self._outcome


class GreenBegun:
    def __init__(self, scheduler: Scheduler, caller: Actor | None, calls: list[GreenCall]) -> None:
        self._scheduler, self._caller = scheduler, caller
        self.calls, self._waits = calls, False

    def ended(self) -> None:
        """Whoever waits for all of them looks again; one that waits for anything else is not woken."""
        if self._caller is not None and self._waits and all(call.over for call in self.calls):
            self._scheduler.wake(self._caller)

    def wait(self, seconds: float) -> None:
        until = self._scheduler.monotonic + int(seconds * 1_000_000)
        self._waits = True
        while not all(call.over for call in self.calls) and self._scheduler.monotonic < until:
            self._scheduler.sleep(until - self._scheduler.monotonic)
        self._waits = False


class GreenSlots:
    """Port Slots: each job is an actor of the caller's process."""

    def __init__(self, scheduler: Scheduler, given_up: Callable[[str], Exception]) -> None:
        self._scheduler, self._given_up = scheduler, given_up

    def begin(self, jobs: Any) -> GreenBegun:
        caller = self._scheduler.current()
        begun = GreenBegun(self._scheduler, caller, [GreenCall(self._given_up(key)) for key, _, _ in jobs])
        for index in sorted(range(len(jobs)), key=lambda index: not jobs[index][1]):
            self._start(caller, index, jobs[index][2], begun)
        return begun

    def _start(self, caller: Actor | None, index: int, call: Callable[[], Any], begun: GreenBegun) -> None:
        def body() -> None:
            begun.calls[index].end(_outcome(call))
            begun.ended()

        if caller is None:
            body()
        else:
            self._scheduler.spawn(f"{caller.name} slot {index}", body, caller.process)


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # a job's error is its result
        return error
