"""A real Valkey and real worker processes, whose engine only counts, for tests that make their lives hard."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from delivery.sandbox.ports import free_port
from delivery.sandbox.valkey import LocalValkey

LIMIT = 30.0
SCAN = "scan-local"
"""The name of the thread that scans; hints are served in threads of the pool."""


def wait_for(condition: Callable[[], object], what: str, limit: float = LIMIT) -> float:
    """Seconds until the condition held."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < limit, f"not within {limit} s: {what}"
        time.sleep(0.01)
    return time.monotonic() - started


@dataclass(frozen=True)
class Tick:
    what: str
    pid: int
    thread: str
    at: float


class Broker:
    """A Valkey that comes and goes on one port, or what else is made in its place."""

    def __init__(self, directory: Path, made: type[LocalValkey] = LocalValkey) -> None:
        self.valkey = made(directory / "valkey", free_port())
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.valkey.url

    def start(self) -> None:
        self._process = subprocess.Popen(
            self.valkey.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self.valkey.answers, "Valkey answers")

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Worker:
    """One worker process after the other, all counting into one file."""

    def __init__(self, directory: Path, broker: str | None, takes: float = 0.0) -> None:
        self._journal = directory / "journal"
        self._log = directory / "worker.log"
        options = [] if broker is None else ["--broker", broker]
        self._command = [
            sys.executable,
            *("-W", "error", "-W", "ignore:You're running the worker with superuser"),
            *("-m", "tests.integration.standin_worker", str(self._journal), "w1", "--takes", str(takes), *options),
        ]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(lambda: self.ticks("drain"), f"a first drain\n{self.said()}")

    def said(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def ticks(self, what: str, *, hinted: bool | None = None) -> list[Tick]:
        """What this life counted; `hinted` tells those of the pool from those of the scan."""
        lines = self._journal.read_text().splitlines() if self._journal.exists() else []
        ticks = [Tick(kind, int(pid), thread, float(at)) for kind, pid, thread, at in map(str.split, lines)]
        mine = [tick for tick in ticks if tick.pid == self.pid and tick.what.partition(":")[0] == what]
        return [tick for tick in mine if hinted is None or hinted == (tick.thread != SCAN)]

    def goes_on(self, scans: int = 4) -> float:
        """Seconds until so many more scans had begun: 250 ms each where nothing is in their way."""
        before = len(self.ticks("drain", hinted=False))
        return wait_for(lambda: len(self.ticks("drain", hinted=False)) >= before + scans, "the scan goes on")

    def terminate(self, within: float = LIMIT) -> tuple[int, float]:
        """The exit code and the seconds that a warm shutdown took."""
        assert self.process is not None
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within), time.monotonic() - started

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
