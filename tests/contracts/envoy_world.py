"""The contract's world on a real Envoy: demo services behind it, and real requests before it."""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from delivery.adapters.mesh.answer import Request
from delivery.adapters.mesh.envoy.adapter import EnvoyMesh
from delivery.adapters.mesh.envoy.files import ROUTES, Files, sections_of
from delivery.adapters.mesh.envoy.marker import KEY
from delivery.adapters.mesh.envoy.validate import Validator
from delivery.model.ids import TargetId
from delivery.model.version import Backend, Endpoint, VersionRef
from delivery.sandbox.client import Call, Client
from delivery.sandbox.demo_service import Profile, Server, Service
from delivery.sandbox.envoy import LocalEnvoy, find_envoy
from delivery.sandbox.load import Load, Wish
from delivery.testing.contracts.mesh_values import RELEASE, Asked, Reply
from tests.users import Users, cookie

T = TypeVar("T")
LIMIT = 15.0  # seconds that no healthy mesh needs
AT_ONCE = 32
LOAD_RATE = 300.0


class EnvoyWorld:
    """Closed by `close`; `envoys` share the files."""

    cluster = "local"

    def __init__(self, directory: Path, envoys: int = 1) -> None:
        self.files = Files(directory / "mesh")
        self.envoys = [LocalEnvoy(directory / f"envoy-{number}", self.files) for number in range(envoys)]
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self._servers: dict[str, Server] = {}
        for envoy in self.envoys:
            envoy.start()
        self.mesh, self.other = self.connect(), self.connect()
        self._client = Client("127.0.0.1", self.envoys[0].port)

    def connect(self) -> EnvoyMesh:
        """The mesh as one more worker has it."""
        proxies = [envoy.admin for envoy in self.envoys]
        return EnvoyMesh(self.cluster, Files(self.files.directory), proxies, Validator(find_envoy()))

    def close(self) -> None:
        self._do(self._close())
        for envoy in self.envoys:
            envoy.kill()
            envoy.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _close(self) -> None:
        self._client.close()
        for server in self._servers.values():
            await server.stop(0)

    def run(self, service: str, version: str) -> Backend:
        return self._start(Backend(service, VersionRef(version, version)))

    def copy(self, backend: Backend) -> Backend:
        return self._start(Backend(backend.service, backend.version.copy_for(RELEASE)))

    def _start(self, backend: Backend) -> Backend:
        server = Server(Service(backend.version.version))
        self._do(server.start())
        self._servers[backend.name] = server
        return backend

    def endpoints(self, backend: Backend) -> tuple[Endpoint, ...]:
        return (Endpoint("127.0.0.1", self._servers[backend.name].port),)

    def end(self, backend: Backend) -> None:
        self._do(self._servers[backend.name].stop(0))

    def asked(self, backend: Backend) -> Asked:
        service = self._servers[backend.name].service
        return Asked(tuple(service.methods.elements()), tuple(service.mirrored_methods.elements()))

    def slow(self, backend: Backend, milliseconds: int) -> None:
        """From now on it takes its time."""
        self._servers[backend.name].service.profile = Profile(latency_ms=milliseconds)

    def fail(self, backend: Backend, status: int) -> None:
        """From now on it answers nothing else."""
        self._servers[backend.name].service.profile = Profile(fail_every=1, fail_status=status)

    def send(self, requests: Sequence[Request]) -> list[Reply]:
        return self._do(self._send(requests))

    def later(self, service: str, count: int) -> "Future[list[Reply]]":
        """Sends, and does not wait for the replies."""
        return asyncio.run_coroutine_threadsafe(self._send([Request(service)] * count), self.loop)

    async def _send(self, requests: Sequence[Request]) -> list[Reply]:
        places = asyncio.Semaphore(AT_ONCE)

        async def one(request: Request) -> Reply:
            headers = dict(request.headers)
            if request.cookies:
                headers["cookie"] = "; ".join(f"{name}={value}" for name, value in request.cookies.items())
            async with places:
                reply = await self._client.call(Call(request.service, request.path, request.method, headers))
            return Reply(reply.status, reply.version, dict(map(cookie, reply.cookies)), reply.seconds)

        return list(await asyncio.gather(*map(one, requests)))

    @contextmanager
    def load(self, service: str) -> Iterator[Users]:
        users = Users(self.loop, Load("127.0.0.1", self.envoys[0].port, Wish(service, LOAD_RATE)), self.until)
        try:
            yield users
        finally:
            users.end()

    def freeze(self) -> None:
        for envoy in self.envoys:
            os.kill(envoy.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for envoy in self.envoys:
            os.kill(envoy.pid, signal.SIGCONT)

    def edit(self, target: TargetId, candidate_weight: int) -> None:
        def change(section: dict[str, Any]) -> None:
            known = section["metadata"]["filter_metadata"][KEY]["candidate"]
            entries = section["routes"][-1]["route"]["weighted_clusters"]["clusters"]
            candidate = next(entry for entry in entries if entry["name"] == known)
            entries[0]["weight"] += candidate["weight"] - candidate_weight  # stable's, which comes first
            candidate["weight"] = candidate_weight

        self._edit(target, change)

    def strip(self, target: TargetId) -> None:
        self._edit(target, lambda section: section.pop("metadata"))

    def _edit(self, target: TargetId, change: Callable[[dict[str, Any]], object]) -> None:
        document = json.loads(self.files.path(ROUTES).read_text())
        section = next(each for each in sections_of(document) if f"{each['name']}@{self.cluster}" == target)
        change(section)
        hosts = document["resources"][0]["virtual_hosts"]
        hosts[:] = [section if each["name"] == section["name"] else each for each in hosts]
        self.put(json.dumps(document))

    def put(self, text: str, kind: str = ROUTES) -> None:
        """Somebody puts another file there, as an editor does."""
        temporary = self.files.directory / "edited.json"
        temporary.write_text(text)
        temporary.rename(self.files.path(kind))

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < end, f"it did not come true within {LIMIT:g} s"
            time.sleep(0.005)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)
