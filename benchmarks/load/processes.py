"""Processes that are measured: what they took of the processors and hold of the memory. Linux only: read from /proc."""

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
ENDS_WITHIN = 20.0


@dataclass
class Process:
    """One of ours, with its log."""

    name: str
    popen: "subprocess.Popen[bytes]"
    log: Path

    def check(self) -> None:
        if self.popen.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.popen.returncode}:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        """Warm; by force where that takes too long."""
        self.popen.terminate()
        try:
            self.popen.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def start(name: str, command: Sequence[str], folder: Path, env: dict[str, str] | None = None) -> Process:
    log = folder / f"{name}.log"
    with log.open("ab") as output:
        popen = subprocess.Popen(command, env={**os.environ, **(env or {})}, stdout=output, stderr=output)
    return Process(name, popen, log)


def wait(what: str, done: Callable[[], bool], within: float, alive: Sequence[Process] = (), pause: float = 0.1) -> None:
    until = time.monotonic() + within
    while not done():
        for process in alive:
            process.check()
        if time.monotonic() > until:
            raise RuntimeError(f"after {within:.0f} s still not: {what}")
        time.sleep(pause)


def cpu(pid: int) -> float:
    """Seconds that a process took by itself, and those of its children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def tree_cpu(pid: int) -> float:
    """The same with its children that run, such as PostgreSQL's one for each connection."""
    total = cpu(pid)
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            total += tree_cpu(int(child))
        except OSError:  # it ended in between: its parent has what it took
            continue
    return total


def memory(pid: int) -> tuple[int, int]:
    """Resident and proportional bytes: in the second, what processes share is divided among them."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("Rss", "Pss"):
            found[name] = int(rest.split()[0]) * 1024
    return found["Rss"], found["Pss"]
