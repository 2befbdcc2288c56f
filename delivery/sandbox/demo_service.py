"""A small service in versions: answers JSON, fails and slows down by count, and says what it was asked.

    python -m delivery.sandbox.demo_service --version 1.4.2 --port 9001 --faults 1.4.3:fail-every=12,latency-ms=5

GET /healthz says whether it takes requests, GET /_stats what it has counted. Faults are counted, never random, and
counted apart for copies (`x-delivery-mirrored`), so that a demo ends the same way every time.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from delivery.adapters.mesh.envoy.render import MIRRORED_HEADER
from delivery.adapters.workloads.pids import lives
from delivery.sandbox import wire

HEALTH = "/healthz"
STATS = "/_stats"
OWNER = "DELIVERY_OWNER"
"""The variable with `PID:MARK` of the process without which this one is not to live."""
DRAIN_SECONDS = 5.0
_REASONS = {200: "OK", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class Profile:
    """Every `fail_every`-th request fails with `fail_status`; each takes `latency_ms`, every `slow_every`-th `slow_ms`
    more, and each of the first `cold_requests` `cold_ms` more. 0: never.
    """

    fail_every: int = 0
    latency_ms: int = 0
    slow_every: int = 0
    slow_ms: int = 0
    fail_status: int = 500
    cold_requests: int = 0
    cold_ms: int = 0

    def takes(self, number: int) -> float:
        """Seconds for the request of this number, from 1."""
        slow = self.slow_ms if _is_nth(number, self.slow_every) else 0
        cold = self.cold_ms if number <= self.cold_requests else 0
        return (self.latency_ms + slow + cold) / 1000


def parse_faults(text: str) -> tuple[str, Profile]:
    """`VERSION:fail-every=12,latency-ms=5` as the version and its profile. Raises ValueError for anything else."""
    version, _, settings = text.rpartition(":")
    known = {entry.name for entry in fields(Profile)}
    values = {}
    for setting in settings.split(","):
        name, _, number = setting.partition("=")
        if name.replace("-", "_") not in known or not version:
            raise ValueError(f"not VERSION:{'=N,'.join(sorted(known)).replace('_', '-')}=N: {text}")
        values[name.replace("-", "_")] = int(number)
    return version, Profile(**values)


@dataclass(slots=True)
class Service:
    """What a version does with a request, and what it has counted."""

    version: str
    profile: Profile = Profile()
    draining: bool = False
    users: int = 0
    mirrored: int = 0
    errors: int = 0
    methods: Counter[str] = field(default_factory=Counter)
    mirrored_methods: Counter[str] = field(default_factory=Counter)

    def answer(self, method: str, path: str, mirrored: bool) -> tuple[int, bytes, float]:
        """Status, body and the seconds to take over it."""
        if path == HEALTH:
            return (503 if self.draining else 200), b"{}", 0.0
        if path == STATS:
            return 200, json.dumps(self.stats()).encode(), 0.0
        number = self._count(method, mirrored)
        failed = _is_nth(number, self.profile.fail_every)
        self.errors += failed
        body = json.dumps({"version": self.version, "path": path, "request": number}).encode()
        return (self.profile.fail_status if failed else 200), body, self.profile.takes(number)

    def stats(self) -> dict[str, object]:
        """The counters, as /_stats answers them."""
        return {
            "version": self.version,
            "requests": self.users,
            "mirrored": self.mirrored,
            "errors": self.errors,
            "methods": dict(self.methods),
            "mirrored_methods": dict(self.mirrored_methods),
        }

    def _count(self, method: str, mirrored: bool) -> int:
        if mirrored:
            self.mirrored += 1
            self.mirrored_methods[method] += 1
            return self.mirrored
        self.users += 1
        self.methods[method] += 1
        return self.users


def _is_nth(number: int, every: int) -> bool:
    return every > 0 and number % every == 0


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests are answered in order."""

    def __init__(self, service: Service, connections: "set[Connection]") -> None:
        self._service = service
        self._connections = connections
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def close(self) -> None:
        """Ends the connection where no request is being answered."""
        if self._transport is not None and not self.busy:
            self._transport.close()

    def abort(self) -> None:
        """Cuts the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _next(self) -> None:
        while not self.busy and self._transport is not None:
            try:
                found = wire.message(self._buffer)
            except ValueError:
                self._transport.abort()
                return
            if found is None:
                return
            del self._buffer[: found[1]]
            self._take(found[0])

    def _take(self, head: bytes) -> None:
        method, path = head.split(b" ", 2)[:2]
        mirrored = wire.header(head, MIRRORED_HEADER) is not None
        status, body, seconds = self._service.answer(method.decode("latin-1"), path.decode("latin-1"), mirrored)
        reply, closing = self._reply(status, body, bodiless=method == b"HEAD"), wire.closes(head)
        if seconds:
            self.busy = True
            asyncio.get_running_loop().call_later(seconds, self._send_late, reply, closing)
        else:
            self._send(reply, closing)

    def _reply(self, status: int, body: bytes, bodiless: bool) -> bytes:
        ending = "connection: close\r\n" if self._service.draining else ""
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nx-version: {self._service.version}\r\n{ending}\r\n"
        )
        return head.encode() + (b"" if bodiless else body)

    def _send_late(self, reply: bytes, closing: bool) -> None:
        self.busy = False
        self._send(reply, closing)
        self._next()

    def _send(self, reply: bytes, closing: bool) -> None:
        if self._transport is None:
            return
        self._transport.write(reply)
        if closing:
            self._transport.close()
            self._transport = None


class Server:
    """A service on a port of the loopback interface."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.port = 0
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        """Listens. 0: any free port, which `port` tells. Raises OSError where the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self.service, self._connections), "127.0.0.1", port, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self, seconds: float = DRAIN_SECONDS) -> None:
        """Takes no more connections, and ends those there are: after their request, after so long without an answer."""
        if self._server is None:
            return
        self.service.draining = True
        self._server.close()
        until = asyncio.get_running_loop().time() + seconds
        while self._connections and asyncio.get_running_loop().time() < until:
            for connection in tuple(self._connections):
                connection.close()
            await asyncio.sleep(0.01)
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.sleep(0)


async def _run(service: Service, port: int, owner: str) -> None:
    server, ended = Server(service), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await server.start(port)
    print(f"version {service.version} listens on port {server.port}", flush=True)
    while not ended.is_set() and _owned(owner):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 1)
    await server.stop()


def _owned(owner: str) -> bool:
    pid, _, started = owner.partition(":")
    return not pid or lives(int(pid), started)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A small service in versions, for the local mesh.")
    parser.add_argument("--version", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--faults", type=parse_faults, action="append", default=[], help="VERSION:fail-every=12,...")
    given = parser.parse_args(arguments)
    service = Service(given.version, dict(given.faults).get(given.version, Profile()))
    asyncio.run(_run(service, given.port, os.environ.get(OWNER, "")))


if __name__ == "__main__":
    main()
