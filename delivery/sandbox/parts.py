"""The programs of the local environment: what each is started with, and when it is ready."""

import contextlib
import os
import socket
import urllib.error
import urllib.request
from pathlib import Path

from delivery.adapters.clock.system import SystemClock
from delivery.adapters.ledger.sql import SqlLedger
from delivery.adapters.mesh.envoy.files import Files
from delivery.machine.evolve import fold
from delivery.ports.errors import PortError
from delivery.sandbox import launch
from delivery.sandbox.configuration import Places
from delivery.sandbox.envoy import LocalEnvoy, find_envoy
from delivery.sandbox.ports import HOST, free_port
from delivery.sandbox.program import Program
from delivery.sandbox.valkey import LocalValkey

GRACE_SECONDS = 3
"""How long the API lets requests in flight go on when it ends; streams never end by themselves."""
HERE = {"no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"}
"""All of it is on this machine, and asked past every proxy."""
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_OURS = ("DELIVERY_", "CELERY_")
"""Variables that would change what the generated configuration says."""


class Parts:
    """Everything in `directory`. The ports that are wished for are taken where they are free; 0 is any."""

    def __init__(self, directory: Path, api_port: int, proxy_port: int) -> None:
        self._taken: set[int] = set()
        self.settings = directory / "delivery.toml"
        files = Files(directory / "envoy" / "files")
        self.envoy = LocalEnvoy(directory / "envoy", files, port=self.port(proxy_port))
        self.valkey = LocalValkey(directory / "valkey", self.port())
        self.places = Places(
            api_port=self.port(api_port),
            database=directory / "delivery.db",
            broker=self.valkey.url,
            envoy_files=files.directory,
            envoy_admin=self.envoy.admin.address,
            envoy_binary=find_envoy(),
            versions=directory / "versions",
            owner=os.getpid(),
        )
        self._ledger = SqlLedger(self.places.database_url, fold=fold)
        self._env = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        self._env |= {"DELIVERY_CONFIG": str(self.settings), "PYTHONUNBUFFERED": "1", **HERE}

    def port(self, wished: int = 0) -> int:
        """A free port that no other part has."""
        port = free_port(wished, self._taken)
        self._taken.add(port)
        return port

    def close(self) -> None:
        self.envoy.close()
        self._ledger.close()

    def valkey_program(self) -> Program:
        return Program("valkey", self.valkey.command, self._env, self.valkey.answers, stop_within=3)

    def envoy_program(self) -> Program:
        envoy = self.envoy
        return Program("envoy", envoy.command, self._env, envoy.serves, before_stop=envoy.drain, stop_within=5)

    def api_program(self, token: str) -> Program:
        """Ready when it knows `token`: another server on its port does not."""
        command = launch.api(HOST, str(self.places.api_port), GRACE_SECONDS)
        request = urllib.request.Request(
            f"{self.places.api_url}/v1/releases?per_page=1", headers={"authorization": f"Bearer {token}"}
        )
        return Program("api", lambda: command, self._env, lambda: _says_yes(request), stop_within=GRACE_SECONDS + 5)

    def worker_program(self, number: int, metrics_port: int) -> Program:
        name = f"worker-{number}"
        command = launch.module("workers.main", "--name", name, "--metrics-port", str(metrics_port))
        since = SystemClock().now()
        return Program(name, lambda: command, self._env, lambda: self._heard(name, since))

    def _heard(self, name: str, since: int) -> bool:
        """Whether a worker's scan has told the ledger since then that it lives."""
        with contextlib.suppress(PortError):
            return self._ledger.workers().get(f"{name}@{socket.gethostname()}", 0) >= since
        return False


def _says_yes(request: urllib.request.Request) -> bool:
    try:
        with _DIRECTLY.open(request, timeout=1.0) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
