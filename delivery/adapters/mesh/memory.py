"""Port Mesh in memory: an API server's semantics, with pretend proxies that can lag, refuse, fall silent and vanish."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from delivery.adapters.mesh.answer import Answer, Request, answer, destinations, mistake
from delivery.model.event import Level
from delivery.model.frozen import replace
from delivery.model.ids import ReleaseId, TargetId
from delivery.model.traffic import Traffic
from delivery.model.version import Backend, Endpoint, Lane
from delivery.ports.errors import Conflict, Refused, Unavailable
from delivery.ports.mesh import Confirmation, Live, Route, Seen, Stamp

ABSENT = "absent"


class Mood(StrEnum):
    """How a proxy behaves from now on."""

    TAKING = "taking"  # takes everything at once
    LAGGING = "lagging"  # answers, and takes things only by `deliver`
    REFUSING = "refusing"  # answers, keeps what it has, and says why
    SILENT = "silent"  # serves what it has, and answers nothing


class Fault(StrEnum):
    """What happens to the next write. In all cases the writer is told Unavailable."""

    LOST = "lost"  # never applied
    APPLIED = "applied"  # applied, though the writer is told otherwise
    LATE = "late"  # applied by `land`, if its revision still holds by then


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored route. `rev` grows with every change of anything."""

    route: Route
    stamp: Stamp | None
    rev: int


@dataclass(slots=True)
class Proxy:
    """What one proxy runs."""

    mood: Mood = Mood.TAKING
    routes: dict[TargetId, Entry] = field(default_factory=dict)
    backends: dict[str, tuple[Endpoint, ...]] = field(default_factory=dict)


class MemoryMesh:
    """`down` makes every call Unavailable. `proxies` may be changed by whoever plays the world."""

    def __init__(self, proxies: int = 1) -> None:
        self.proxies = {f"proxy-{number}": Proxy() for number in range(proxies)}
        self.down = False
        self._routes: dict[TargetId, Entry] = {}
        self._backends: dict[str, tuple[Endpoint, ...]] = {}
        self._refusals: dict[TargetId, str] = {}
        self._paused: dict[TargetId, str] = {}
        self._faults: list[Fault] = []
        self._late: list[tuple[Route, Stamp, str]] = []
        self._pauses: dict[TargetId, int] = {}
        self._rev = 0
        self._draws = 0
        self._lock = threading.Lock()

    # The port.

    def read(self, target: TargetId) -> Live:
        self._reach()
        return self._live(target)

    def write(self, route: Route, stamp: Stamp, expect: str) -> Live:
        self._reach()
        with self._lock:
            self._check(route, expect)
            fault = self._faults.pop(0) if self._faults else None
            if fault is Fault.LATE:
                self._late.append((route, stamp, expect))
            elif fault is not Fault.LOST:
                self._store(Entry(route, stamp, 0))
            if fault is not None:
                raise Unavailable(f"the mesh did not answer in time ({fault})")
            return self._live(route.target)

    def confirm(self, target: TargetId, release: ReleaseId, dseq: int) -> Confirmation:
        self._reach()
        stored, content = self._routes.get(target), self._live(target).content
        missing = tuple(
            name for name, proxy in self.proxies.items() if not _proves(proxy, target, stored, (release, dseq))
        )
        self._answering()
        refusing = [name for name in missing if self.proxies[name].mood is Mood.REFUSING]
        refused = f"{refusing[0]} refused the route" if refusing else None
        return Confirmation(not missing, Level.ACKED, len(self.proxies), missing, refused, content)

    def publish(self, target: TargetId, backend: Backend, endpoints: tuple[Endpoint, ...]) -> bool:
        self._reach()
        wanted = {backend.lane(lane): endpoints for lane in Lane}
        with self._lock:
            self._backends |= wanted
            for proxy in self._taking():
                proxy.backends |= wanted
        self._answering()
        return all(
            proxy.mood is not Mood.SILENT and wanted.items() <= proxy.backends.items()
            for proxy in self.proxies.values()
        )

    def withdraw(self, target: TargetId, backend: Backend) -> None:
        self._reach()
        self._answering()
        names = {backend.lane(lane) for lane in Lane}
        with self._lock:
            running = [entry for proxy in self.proxies.values() for entry in proxy.routes.values()]
            for entry in [*self._routes.values(), *running]:
                if named := names & destinations(entry.route):
                    raise Conflict(f"the route of {entry.route.target} still names {min(named)}")
            for known in (self._backends, *(proxy.backends for proxy in self._taking())):
                for name in names:
                    known.pop(name, None)

    def observe(self) -> Mapping[TargetId, Seen]:
        self._reach()
        return {target: Seen(str(entry.rev), self._paused.get(target)) for target, entry in self._routes.items()}

    # The world: what proxies and other people do.

    def serve(self, request: Request, proxy: str | None = None) -> Answer:
        """How a proxy (the first, where none is named) answers. What is drawn follows from how often was drawn."""
        running = self.proxies[proxy or next(iter(self.proxies))]
        entry = next((entry for entry in running.routes.values() if entry.route.service == request.service), None)
        if entry is None:
            return Answer(None)
        found = answer(entry.route, request, self._draw)
        known = found.backend in running.backends or found.backend == at_home(entry.route)
        return found if known else replace(found, backend=None)

    def fail_next(self, *faults: Fault) -> None:
        """The next writes end like this, one each."""
        self._faults.extend(faults)

    def land(self) -> None:
        """Late writes arrive. Each was checked before by its writer, and is checked by its revision now."""
        late, self._late = self._late, []
        with self._lock:
            for route, stamp, expect in late:
                if self._live(route.target).revision == expect and route.target not in self._paused:
                    self._store(Entry(route, stamp, 0))

    def refuse(self, target: TargetId, text: str | None) -> None:
        """Every write to this target is refused with the text; None ends that."""
        self._refusals.pop(target, None)
        if text is not None:
            self._refusals[target] = text

    def pause(self, target: TargetId, text: str | None) -> None:
        """Somebody stops our writes to this route; None gives it back. Its revision changes, as with any edit."""
        self._paused.pop(target, None)
        if text is not None:
            self._paused[target] = text
        self._pauses[target] = self._pauses.get(target, 0) + 1

    def deliver(self, proxy: str) -> None:
        """A lagging proxy catches up with what is stored now."""
        running = self.proxies[proxy]
        running.routes, running.backends = dict(self._routes), dict(self._backends)

    def edit(self, target: TargetId, traffic: Traffic) -> None:
        """Somebody else changes the route and leaves our stamp on it."""
        with self._lock:
            entry = self._routes[target]
            self._store(replace(entry, route=replace(entry.route, traffic=traffic)))

    def strip(self, target: TargetId) -> None:
        """Somebody else removes our stamp."""
        with self._lock:
            self._store(replace(self._routes[target], stamp=None))

    def traffic(self, target: TargetId, proxy: str | None = None) -> Traffic | None:
        """What is stored, or what the named proxy runs."""
        entry = (self.proxies[proxy].routes if proxy else self._routes).get(target)
        return entry.route.traffic if entry else None

    def _live(self, target: TargetId) -> Live:
        entry, paused = self._routes.get(target), self._paused.get(target)
        revision = f"{entry.rev if entry else ABSENT}.{self._pauses.get(target, 0)}"
        if entry is None:
            return Live(revision, None, "", paused=paused)
        weight = entry.route.traffic.weight if entry.stamp else 0
        return Live(revision, entry.stamp, str(entry.rev), weight, paused)

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the mesh does not answer")

    def _answering(self) -> None:
        if self.proxies and all(proxy.mood is Mood.SILENT for proxy in self.proxies.values()):
            raise Unavailable("no proxy answers")

    def _check(self, route: Route, expect: str) -> None:
        if (found := self._live(route.target).revision) != expect:
            raise Conflict(f"the route of {route.target} is at {found}, not at {expect}")
        if route.target in self._paused:
            raise Unavailable(self._paused[route.target])
        if route.target in self._refusals:
            raise Refused(self._refusals[route.target])
        if wrong := mistake(route):
            raise Refused(wrong)
        if unknown := destinations(route) - self._backends.keys() - {at_home(route)}:
            raise Refused(f"unknown backend '{min(unknown)}'")

    def _store(self, entry: Entry) -> None:
        self._rev += 1
        self._routes[entry.route.target] = stored = replace(entry, rev=self._rev)
        for proxy in self._taking():
            proxy.routes[entry.route.target] = stored

    def _taking(self) -> list[Proxy]:
        return [proxy for proxy in self.proxies.values() if proxy.mood is Mood.TAKING]

    def _draw(self, total: int) -> int:
        self._draws += 1
        return _mixed(self._draws) * total >> 64


def at_home(route: Route) -> str | None:
    """The backend that needs no publishing: it is behind the service that users call anyway."""
    return route.stable.name if route.stable is not None and route.stable.home else None


def _mixed(number: int) -> int:
    """64 bits in which neighbours have nothing in common (the finaliser of SplitMix64)."""
    number = number * 0x9E3779B97F4A7C15 % 2**64
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    number = (number ^ number >> 27) * 0x94D049BB133111EB % 2**64
    return number ^ number >> 31


def _proves(proxy: Proxy, target: TargetId, stored: Entry | None, token: tuple[ReleaseId, int]) -> bool:
    """Whether a proxy runs this token or a newer one of its release, and the newest writing of it."""
    running = proxy.routes.get(target)
    if proxy.mood is Mood.SILENT or running is None or running.stamp is None:
        return False
    release, dseq = token
    if running.stamp.release != release or running.stamp.dseq < dseq:
        return False
    written = stored.stamp if stored else None
    return stored is None or written is None or written.release != release or running.rev >= stored.rev
