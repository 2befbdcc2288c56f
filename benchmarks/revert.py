"""The way back on the real Envoy: from a bad answer, and from an abort, to a proxy that sends the candidate nothing.

The whole local environment runs: API, Celery worker, Valkey, SQLite, Envoy, versions as processes, users. The proxy is
asked every few milliseconds what it runs; what is timed ends with its own answer, not with a write.
"""

import asyncio
import tempfile
import time
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from benchmarks.figure import Better, Figure, Goal
from benchmarks.say import Say
from delivery.adapters.mesh.envoy import marker
from delivery.adapters.mesh.envoy.admin import Admin
from delivery.sandbox.demo.api import Access, Api
from delivery.sandbox.environment import Local, Wanted, running
from delivery.sandbox.load import Load, Wish
from delivery.sandbox.ports import HOST

SERVICE, STARTS, ACTS = "checkout", "alice", "bob"
ABORTS, FAILURES = 100, 20
RATE = 100.0
TICK = 1.0
LOOK = 0.003
WITHIN = 30.0
FILE = """\
service: checkout
cluster: local
workload: {process: checkout, rollback_window: 5s}
tick: 1s
strategies: [{canary: {steps: [50%], bake: 2h, min_requests: 50}}]
gates: {errors: {ratio: http_errors, min_requests: 50, dispersion: 1}}
"""
Act = Callable[[Load, str], Awaitable[float]]


def measure(say: Say) -> list[Figure]:
    return asyncio.run(_measure(say))


async def _measure(say: Say) -> list[Figure]:
    found: list[Figure] = []
    bad = tuple(word for number in range(FAILURES) for word in ("--faults", f"bad-{number}:fail-every=1"))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        wanted = Wanted(Path(folder), processes={SERVICE: bad})
        async with running(wanted, say) as local:

            async def work() -> None:
                found.extend(await _both(local, say))

            await local.supervisor.during(work())
    return found


async def _both(local: Local, say: Say) -> list[Figure]:
    access = Access(local.api_url, local.proxy_url, local.keys.tokens, local.source, local.keys.secret)
    async with aclosing(Api(access)) as api, _users(local) as load:
        stage = _Stage(api, _proxy(local), load)
        await api.apply(SERVICE, FILE, STARTS)
        await stage.released("1.0", lambda now: now["state"] == "promoted")
        failures = [await stage.failing(f"bad-{number}", say) for number in range(FAILURES)]
        aborts = [await stage.aborted(f"good-{number}") for number in range(ABORTS)]
        say(f"{ABORTS} aborts")
    return [
        Figure("revert: first bad answer to proxy at 0", "s", tuple(failures), Goal(TICK + 1, Better.LESS)),
        Figure("revert: abort to proxy at 0", "s", tuple(aborts), Goal(0.5, Better.LESS, 0.99)),
    ]


@asynccontextmanager
async def _users(local: Local) -> AsyncIterator[Load]:
    load = Load(HOST, local.proxy_port, Wish(SERVICE, RATE, 100))
    stop = asyncio.Event()
    sending = asyncio.create_task(load.run(stop=stop))
    try:
        yield load
    finally:
        stop.set()
        await sending


def _proxy(local: Local) -> Admin:
    """Envoy's admin interface, as the server's configuration has it."""
    mesh = tomllib.loads(local.settings.read_text())["clusters"]["local"]["mesh"]
    return Admin(str(mesh["admin"][0]))


class _Stage:
    """One release after the other, and what the proxy runs meanwhile."""

    def __init__(self, api: Api, proxy: Admin, load: Load) -> None:
        self._api = api
        self._proxy = proxy
        self._load = load

    async def released(self, version: str, enough: Callable[[dict[str, object]], bool]) -> str:
        """Starts a release and waits until it is so far; its id."""
        release = str((await self._api.deliver(SERVICE, version, STARTS))["release"]["id"])
        await _until(lambda: self._is(release, enough), 0.05)
        return release

    async def aborted(self, version: str) -> float:
        """Seconds from the request to the proxy at 0."""
        release = await self.released(version, lambda now: now["state"] == "progressing")
        await _until(self._exposed, LOOK)
        begun = time.monotonic()
        saying = asyncio.create_task(self._api.say(release, "abort", ACTS, "bench"))
        await _until(self._at_zero, LOOK)
        seconds = time.monotonic() - begun
        await saying
        await _until(lambda: self._is(release, lambda now: bool(now["finished_at"])), 0.05)
        return seconds

    async def failing(self, version: str, say: Say) -> float:
        """Seconds from the first answer with an error that a user got to the proxy at 0."""
        release = str((await self._api.deliver(SERVICE, version, STARTS))["release"]["id"])
        await _until(lambda: _yes(self._errors(version) > 0), LOOK)
        begun = time.monotonic()
        await _until(self._at_zero, LOOK)
        seconds = time.monotonic() - begun
        say(f"{version}: at 0 after {seconds:.2f} s, {self._errors(version)} bad answers")
        await _until(lambda: self._is(release, lambda now: bool(now["finished_at"])), 0.05)
        return seconds

    def _errors(self, version: str) -> int:
        seen = self._load.counts.versions.get(version)
        return seen.errors if seen else 0

    async def _is(self, release: str, enough: Callable[[dict[str, object]], bool]) -> bool:
        return enough(await self._api.release(release, STARTS))

    async def _weight(self) -> int:
        sections = await asyncio.to_thread(self._proxy.sections)
        return next((marker.live_weight(section) for section in sections if section["name"] == SERVICE), 0)

    async def _exposed(self) -> bool:
        return await self._weight() == 50

    async def _at_zero(self) -> bool:
        return await self._weight() == 0


async def _yes(value: bool) -> bool:
    return value


async def _until(condition: Callable[[], Awaitable[bool]], pause: float) -> None:
    async with asyncio.timeout(WITHIN):
        while not await condition():
            await asyncio.sleep(pause)
