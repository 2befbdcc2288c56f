"""One program of the testbed: started, waited for, ended; it also ends where the testbed is killed."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from delivery.sandbox.launch import bound_to

POLL_SECONDS = 0.05
STOP_SECONDS = 5.0
LAST_LINES = 5


class CannotRun(Exception):
    """A part of the testbed did not start or did not do its work; the text says which, and what it said last."""


def wait_until(what: str, ready: Callable[[], bool], seconds: float, alive: Callable[[], None] = lambda: None) -> None:
    """Returns when `ready` says yes. Raises CannotRun after so many seconds, and whatever `alive` raises before."""
    until = time.monotonic() + seconds
    while not ready():
        alive()
        if time.monotonic() > until:
            raise CannotRun(f"{what}: not within {seconds:g} s")
        time.sleep(POLL_SECONDS)


class Process:
    """Has to be made in a thread that lives as long as the program is to live."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                bound_to(os.getpid(), command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,  # Ctrl-C is for the testbed, which ends the others in order
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Raises CannotRun where it has ended."""
        if self.ended is not None:
            raise CannotRun(f"{self.name} ended with {self.ended}: {self.last_words()}")

    def wait(self, ready: Callable[[], bool], seconds: float) -> None:
        """Returns when `ready` says yes. Raises CannotRun, then nothing of it is left."""
        try:
            wait_until(f"{self.name} ready", ready, seconds, self.check)
        except CannotRun as reason:
            self.kill()
            raise CannotRun(f"{reason}; its last words: {self.last_words()}") from None

    def terminate(self) -> None:
        """Asks it to end, and does not wait."""
        if self.ended is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Asks it to end, and ends it where it does not. Idempotent."""
        self.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Ends it at once. Idempotent."""
        self._process.kill()
        self._process.wait()

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return " / ".join(lines[-LAST_LINES:]) or "it said nothing"
