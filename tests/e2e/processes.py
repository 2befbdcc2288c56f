"""The command as a process of its own, and what it leaves behind."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

MARK = "E2E_MARK"
"""A variable that everything which the command starts inherits."""
ENDS_WITHIN = 30.0


class Command:
    """`delivery ...`, with a temporary folder of its own."""

    def __init__(self, folder: Path, arguments: Sequence[str]) -> None:
        self.mark = uuid4().hex
        self.folder = folder / "tmp"
        self.folder.mkdir()
        self._code = "import sys; from delivery.cli.main import run; sys.exit(run(sys.argv[1:]))"
        self._arguments = arguments
        self.lines: list[str] = []

    def __enter__(self) -> "Command":
        env = {**os.environ, MARK: self.mark, "TMPDIR": str(self.folder), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", self._code, *self._arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, start_new_session=True,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(ENDS_WITHIN)
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def output(self) -> Iterator[str]:
        """Its lines as they come, until it closes its output."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            yield self.lines[-1]

    def until(self, text: str) -> str:
        """The first line from here on with this text in it. Fails where it ends before."""
        for line in self.output():
            if text in line:
                return line
        raise AssertionError(f"it ended without saying {text!r}: {self.lines}")

    def end(self) -> int:
        """Reads the rest of its output; its exit code."""
        for _ in self.output():
            pass
        return self.process.wait(ENDS_WITHIN)

    def left(self, within: float = 10.0) -> list[str]:
        """Processes that it started and that do not end within this time."""
        until = time.monotonic() + within
        while (found := _marked(self.mark)) and time.monotonic() < until:
            time.sleep(0.05)
        return found


def _marked(mark: str) -> list[str]:
    """Running processes that have the mark in their environment (Linux; elsewhere `ps` shows it to their owner)."""
    if not Path("/proc/self/environ").exists():
        listed = subprocess.run(["ps", "axeww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
        return [line for line in listed.stdout.splitlines() if f"{MARK}={mark}" in line]
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found
