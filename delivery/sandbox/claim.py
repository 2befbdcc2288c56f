"""Whose a run directory is, and which processes a run that was killed left behind."""

import contextlib
import fcntl
import json
import os
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from delivery.adapters.workloads import pids
from delivery.sandbox.errors import CannotStart


class RunDirectory:
    """A directory that one supervisor at a time has, with a file of the processes that it runs.

    Linux ends them with the supervisor (`launch.bound_to`). macOS does not, and a wrapper may be slow: so the next one
    in this directory ends what the file names, if it is still the same process.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path / "processes.json"
        self._running: dict[str, tuple[int, str | None]] = {}
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Raises CannotStart where another supervisor has the directory."""
        self.path.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(lock, 32).decode() or "unknown"
            os.close(lock)
            raise CannotStart(
                f"{self.path} is in use by process {owner}; end that one, or choose another directory"
            ) from None
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        self._lock = lock
        self._end_leftovers()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def runs(self, name: str, pid: int) -> None:
        """Remembers a process, for the case that nobody is left to end it."""
        self._running[name] = (pid, pids.mark(pid))
        self._write()

    def ended(self, name: str) -> None:
        self._running.pop(name, None)
        self._write()

    def _write(self) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(self._running))
        new.replace(self._file)

    def _end_leftovers(self) -> None:
        try:
            left = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return
        for pid, mark in left.values():
            if mark and pids.lives(pid, mark):
                kill_group(pid, signal.SIGKILL)
                _wait_until_gone(pid, mark)


def kill_group(pid: int, number: signal.Signals) -> None:
    """Sends a signal to the process group that this process leads; nothing where it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _wait_until_gone(pid: int, mark: str, within: float = 5.0) -> None:
    until = time.monotonic() + within
    while pids.lives(pid, mark) and time.monotonic() < until:
        time.sleep(0.01)
