"""The contract's world in memory: pretend proxies, and versions that are only counted."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from delivery.adapters.mesh.answer import Request
from delivery.adapters.mesh.memory import MemoryMesh, Mood
from delivery.model.ids import TargetId
from delivery.model.version import Backend, Endpoint, Lane, VersionRef
from delivery.testing.contracts.mesh_values import RELEASE, Asked, Load, Reply

LOOKS = 1000


class MemoryWorld:
    """Requests go to the proxies in turn."""

    cluster = "local"

    def __init__(self, proxies: int = 3) -> None:
        self.mesh = self.other = MemoryMesh(proxies)
        self._endpoints: dict[str, Endpoint] = {}
        self._backends: dict[str, Backend] = {}
        self._asked: dict[str, Asked] = {}
        self._alive: set[Endpoint] = set()
        self._requests = 0
        self._loads: list[_Load] = []

    def run(self, service: str, version: str) -> Backend:
        return self._start(Backend(service, VersionRef(version, version)))

    def copy(self, backend: Backend) -> Backend:
        return self._start(Backend(backend.service, backend.version.copy_for(RELEASE)))

    def _start(self, backend: Backend) -> Backend:
        endpoint = Endpoint("memory", len(self._alive) + len(self._endpoints) + 1)
        self._endpoints[backend.name] = endpoint
        self._alive.add(endpoint)
        self._backends |= {backend.lane(lane): backend for lane in Lane}
        return backend

    def endpoints(self, backend: Backend) -> tuple[Endpoint, ...]:
        return (self._endpoints[backend.name],)

    def end(self, backend: Backend) -> None:
        self._alive.discard(self._endpoints[backend.name])

    def asked(self, backend: Backend) -> Asked:
        return self._asked.get(backend.name, Asked())

    def send(self, requests: Sequence[Request]) -> list[Reply]:
        return [self._one(request) for request in requests]

    @contextmanager
    def load(self, service: str) -> Iterator[Load]:
        load = _Load(self, service)
        self._loads.append(load)
        yield load
        self._loads.remove(load)

    def freeze(self) -> None:
        self._mood(Mood.SILENT)

    def thaw(self) -> None:
        self._mood(Mood.TAKING)
        for name in self.mesh.proxies:
            self.mesh.deliver(name)

    def edit(self, target: TargetId, candidate_weight: int) -> None:
        traffic = self.mesh.traffic(target)
        assert traffic is not None
        self.mesh.edit(target, replace(traffic, weight=candidate_weight))

    def strip(self, target: TargetId) -> None:
        self.mesh.strip(target)

    def pause(self, target: TargetId, reason: str | None) -> None:
        self.mesh.pause(target, reason)

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(LOOKS):
            for load in self._loads:
                load.wait(1)
            if condition():
                return
        raise AssertionError("it never came true")

    def _mood(self, mood: Mood) -> None:
        for proxy in self.mesh.proxies.values():
            proxy.mood = mood

    def _one(self, request: Request) -> Reply:
        self._requests += 1
        names = sorted(self.mesh.proxies)
        found = self.mesh.serve(request, names[self._requests % len(names)])
        if found.shadow is not None and (shadow := self._alive_backend(found.shadow)):
            seen = self.asked(shadow)
            self._asked[shadow.name] = replace(seen, copies=(*seen.copies, request.method))
        backend = self._alive_backend(found.backend)
        if backend is None:
            return Reply(found.status or 503, None, found.cookies)
        seen = self.asked(backend)
        self._asked[backend.name] = replace(seen, users=(*seen.users, request.method))
        return Reply(200, backend.version.version, found.cookies)

    def _alive_backend(self, name: str | None) -> Backend | None:
        backend = self._backends.get(name or "")
        return backend if backend is not None and self._endpoints[backend.name] in self._alive else None


class _Load:
    def __init__(self, world: MemoryWorld, service: str) -> None:
        self.failed: Counter[str] = Counter()
        self._world = world
        self._service = service

    def wait(self, requests: int) -> None:
        for reply in self._world.send([Request(self._service)] * requests):
            if reply.version is None:
                self.failed[str(reply.status)] += 1
