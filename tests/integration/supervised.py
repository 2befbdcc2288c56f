"""A supervisor in a process of its own, for tests that end it in every way.

Run as `python -m tests.integration.supervised DIRECTORY NAME...`; each name is a program of PROGRAMS. Says `ready` when
all of them run, and writes their last words of an orderly end to DIRECTORY/ended.
"""

import asyncio
import sys
from pathlib import Path

from delivery.sandbox.claim import RunDirectory
from delivery.sandbox.errors import CannotStart, Stopped
from delivery.sandbox.program import Program
from delivery.sandbox.supervisor import supervising

_TELLS = """
import signal, sys, time
def end(*_):
    open(sys.argv[1], "a").write(sys.argv[2] + "\\n")
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
while True: time.sleep(60)
"""
_STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
while True: time.sleep(60)
"""
_PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("up", child.pid, flush=True)
child.wait()
"""


def program(directory: Path, name: str, stop_within: float = 2.0) -> Program:
    """`first` and `second` end in order, `stubborn` only by force, `parent` has a child, `dying` ends at once."""
    scripts = {"stubborn": _STUBBORN, "parent": _PARENT, "dying": "print('no such table')\nraise SystemExit(3)"}
    said = directory / f"{name}.said"
    arguments = (str(directory / "ended"), name)
    command = (sys.executable, "-u", "-c", scripts.get(name, _TELLS), *arguments)
    ready = (lambda: True) if name == "dying" else lambda: said.exists() and "up" in said.read_text()
    return Program(name, lambda: command, ready=ready, stop_within=stop_within)


class Output:
    """What the programs said, where `ready` finds it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __call__(self, name: str, line: str) -> None:
        with (self._directory / f"{name}.said").open("a") as file:
            file.write(line + "\n")


def _tell(text: str) -> None:
    print(text, flush=True)


async def main(directory: Path, names: list[str]) -> int:
    try:
        with RunDirectory(directory) as claimed:
            async with supervising(claimed, Output(directory), _tell) as supervisor:
                for name in names:
                    await supervisor.start(program(directory, name, stop_within=60.0))
                _tell("ready")
                why = await supervisor.run()
    except (CannotStart, Stopped) as error:
        _tell(str(error))
        return 2
    return 0 if why is None else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), sys.argv[2:])))
