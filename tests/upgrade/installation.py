"""Installations of the service over one Envoy: each has a database and a source of its own, users have the proxy."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx

from delivery.adapters.ledger.sql import SqlLedger
from delivery.adapters.mesh.envoy.files import Files
from delivery.adapters.workloads.process import stop_all
from delivery.machine.evolve import fold
from delivery.sandbox.configuration import SOURCE, Keys, Places, keys_in, settings_text, write_private
from delivery.sandbox.demo.api import Access, Api, ApiError, Json
from delivery.sandbox.envoy import LocalEnvoy, find_envoy
from delivery.sandbox.load import Load, Wish
from delivery.sandbox.ports import HOST, free_port

ROOT = Path(__file__).parents[2]
LIMIT = 120.0
T = TypeVar("T")
_OURS = ("DELIVERY_", "CELERY_")
_BROKER = "[broker]"
_AS_BEFORE = "\n[retention]\nnames_apart = false\n"
"""What the version before cannot read is not written while it runs."""


class Ground:
    """What lives on whatever becomes of an installation: Envoy, the versions' processes, users. Closed by `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys: Keys = keys_in(folder / "keys.json")
        self.files = Files(folder / "envoy" / "files")
        self.envoy = LocalEnvoy(folder / "envoy", self.files)
        self.versions = folder / "versions"
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.envoy.start()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(LIMIT)

    @contextlib.contextmanager
    def users(self, *services: str, rate: float = 100.0) -> Iterator[list[Load]]:
        """Requests for each service; every one of them has to be answered."""
        loads = [Load(HOST, self.envoy.port, Wish(service, rate)) for service in services]
        stop = asyncio.Event()
        running = [asyncio.run_coroutine_threadsafe(load.run(stop=stop), self.loop) for load in loads]
        try:
            yield loads
        finally:
            self.loop.call_soon_threadsafe(stop.set)
            for one in running:
                one.result(LIMIT)

    def close(self) -> None:
        stop_all(self.versions, 5.0)
        self.envoy.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Installation:
    """An API and workers over one database, run from `source`. Closed by `close`, which leaves the ground alone."""

    def __init__(self, ground: Ground, name: str, database: str, source: Path = ROOT) -> None:
        self.ground, self.name, self.database, self.source = ground, name, database, source
        port = free_port()
        places = Places(
            api_port=port,
            database=ground.folder / "unused.db",
            broker="redis://unused",
            envoy_files=ground.files.directory,
            envoy_admin=ground.envoy.admin.address,
            envoy_binary=find_envoy(),
            versions=ground.versions,
            owner=os.getpid(),
        )
        command = (sys.executable, "-m", "delivery.sandbox.demo_service", "--version", "{version}", "--port", "{port}")
        text = settings_text(places, ground.keys, {"demo": command}).replace(places.database_url, database)
        self.settings = ground.folder / f"{name}.toml"
        write_private(self.settings, _without_broker(text) + (_AS_BEFORE if source == ROOT else ""))
        self._port, self._processes = port, dict[str, subprocess.Popen[bytes]]()
        self._api = Api(Access(places.api_url, "", ground.keys.tokens, SOURCE, ground.keys.secret))

    def migrate(self) -> None:
        """As its own `delivery migrate` does."""
        code = "import sys; from delivery.adapters.ledger.sql import upgrade; upgrade(sys.argv[1])"
        subprocess.run([sys.executable, "-c", code, self.database], env=self._env(), cwd=self.source, check=True)

    def start(self, *workers: str) -> "Installation":
        """The API and these workers; returns when they are there."""
        before = {worker: self._heard(worker) for worker in workers}
        self._run("api", "-m", "uvicorn", "api.main:app", "--factory", "--host", HOST, "--port", str(self._port))
        for worker in workers:
            self._run(worker, "-m", "workers.main", "--name", worker)
        self.until("its API answers", self._answers)
        self.until(f"{workers} are heard of", lambda: all(self._heard(one) > before[one] for one in workers))
        return self

    def work(self, worker: str) -> None:
        """One worker more."""
        before = self._heard(worker)
        self._run(worker, "-m", "workers.main", "--name", worker)
        self.until(f"{worker} is heard of", lambda: self._heard(worker) > before)

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        process = self._processes.pop(name)
        process.send_signal(how)
        process.wait(LIMIT)

    def close(self) -> None:
        for name in list(self._processes):
            self.end(name, signal.SIGKILL)
        self.ground.do(self._api.aclose())

    def log(self, name: str) -> str:
        return (self.ground.folder / f"{self.name}-{name}.log").read_text()

    # --- what people and CI say ---

    def apply(self, service: str, text: str) -> None:
        self.ground.do(self._api.apply(service, text, "alice"))

    def deliver(self, service: str, version: str) -> str:
        """The id of the release that CI's event starts."""
        return str(self.ground.do(self._api.deliver(service, version, "alice"))["release"]["id"])

    def say(self, release: str, action: str, **more: object) -> Json:
        return self.call("POST", f"/v1/releases/{release}/{action}", "bob", {"reason": "a test", **more})

    def call(self, method: str, path: str, who: str = "bob", body: object = None) -> Json:
        headers = {"idempotency-key": f"{time.monotonic_ns()}"} if method == "POST" else {}
        return self.ground.do(self._api._call(method, path, who, json=body, headers=headers))

    def release(self, release: str) -> Json:
        return self.call("GET", f"/v1/releases/{release}", "alice")

    def comes_to(self, release: str, *states: str) -> Json:
        """The release, once it is in one of these states."""
        found: list[Json] = []

        def there() -> bool:
            found[:] = [self.release(release)]
            assert not found[0]["finished_at"] or found[0]["state"] in states, found[0]["text"]
            return found[0]["state"] in states

        try:
            self.until(f"{release} comes to {' or '.join(states)}", there)
        except AssertionError as error:
            raise AssertionError(f"{error}: {found[0]['text']} {found[0]['holds']}") from None
        return found[0]

    def bakes(self, release: str, stage: int = 0) -> None:
        """Returns when this stage is proven and measured."""
        self.until(f"{release} bakes", lambda: self.release(release)["stages"][stage]["state"] == "baking")

    def weight(self, service: str) -> int:
        """What the Envoy itself runs."""
        from delivery.adapters.mesh.envoy.marker import live_weight

        return next(live_weight(one) for one in self.ground.envoy.admin.sections() if one["name"] == service)

    def until(self, what: str, condition: Callable[[], object], limit: float = LIMIT) -> None:
        end = time.monotonic() + limit
        while not condition():
            dead = [name for name, process in self._processes.items() if process.poll() is not None]
            assert not dead, f"{self.name}: {dead[0]} ended: {self.log(dead[0])[-2000:]}"
            assert time.monotonic() < end, f"{self.name}: not within {limit:g} s: {what}"
            time.sleep(0.05)

    def ledger(self) -> SqlLedger:
        """Its database, as this version reads it."""
        return SqlLedger(self.database, fold=fold)

    def _run(self, name: str, *arguments: str) -> None:
        with (self.ground.folder / f"{self.name}-{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, *arguments],
                env=self._env(), cwd=self.source, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def _env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        return {**kept, "DELIVERY_CONFIG": str(self.settings), "PYTHONUNBUFFERED": "1"}

    def _answers(self) -> bool:
        try:
            self.call("GET", "/v1/releases?per_page=1", "alice")
        except (ApiError, httpx.TransportError):
            return False
        return True

    def _heard(self, worker: str) -> int:
        ledger = self.ledger()
        try:
            return ledger.workers().get(f"{worker}@{socket.gethostname()}", 0)
        finally:
            ledger.close()


def _without_broker(text: str) -> str:
    before, _, rest = text.partition(_BROKER)
    return before + rest[rest.index("[") :]
