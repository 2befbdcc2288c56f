"""Turns a command into one whose process ends with its parent, on Linux also where the parent was killed."""

import sys
from collections.abc import Sequence
from pathlib import Path

_WRAPPER = """\
import ctypes, os, sys
parent = int(sys.argv[1])
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)
if os.getppid() == parent:
    os.execv(sys.argv[2], sys.argv[2:])
"""


def module(name: str, *arguments: str) -> tuple[str, ...]:
    """Runs a module of ours, wherever one is: many projects have a folder `api` or `workers`."""
    return (sys.executable, "-P", "-m", name, *arguments)


def api(host: str, port: str, grace: int) -> tuple[str, ...]:
    """Runs the API. For requests that hang uvicorn would wait without end: `grace` is in seconds."""
    beside = str(Path(__file__).resolve().parents[2])  # uvicorn would look into the folder that one is in
    arguments = ("--host", host, "--port", port, "--app-dir", beside, "--timeout-graceful-shutdown", str(grace))
    return module("uvicorn", "api.main:app", "--factory", "--no-access-log", *arguments)


def bound_to(parent: int, command: Sequence[str]) -> tuple[str, ...]:
    """The command behind a wrapper of 20 ms that asks the kernel for SIGTERM at the parent's death, then becomes it.

    It has to be started from a thread that lives as long as the command is to live. No preexec_fn: from Python 3.12 on
    it warns in a process with threads. macOS has no such request: there only an orderly end takes the command along.
    """
    return (sys.executable, "-I", "-S", "-c", _WRAPPER, str(parent), *command)
