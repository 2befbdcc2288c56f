"""Processes told apart from later ones that got the same number."""

import os
import subprocess
import sys
from pathlib import Path


def mark(pid: int) -> str | None:
    """When the process was started, in the system's own words; None where it has ended, as a zombie too.

    Number and mark together name one process for as long as the machine is up.
    """
    return _linux(pid) if sys.platform == "linux" else _posix(pid)


def lives(pid: int, started: str) -> bool:
    """Whether this very process still runs."""
    return mark(pid) == started


def reap(pid: int) -> None:
    """Lets a child that has ended go; somebody else's child, or one that still runs, is left alone."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # the name before may hold anything
    return None if fields[0] in "ZX" else fields[19]


def _posix(pid: int) -> str | None:
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False, timeout=5
    ).stdout.split()
    return None if not shown or shown[0].startswith("Z") else " ".join(shown[1:])
