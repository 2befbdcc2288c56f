"""A worker process over a real database and a real Envoy, which stands still where a write hurts most.

`python -m tests.integration.fence_worker URL DIRECTORY ADMIN JOURNAL [WEIGHT]`: just before it would write WEIGHT, when
all has been checked, it stops itself as SIGSTOP from outside would. JOURNAL tells what became of its writes.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from delivery.adapters.mesh.envoy.adapter import EnvoyMesh
from delivery.adapters.mesh.envoy.admin import Admin
from delivery.adapters.mesh.envoy.files import Files
from delivery.adapters.mesh.envoy.validate import Validator
from delivery.model.ids import Micros
from delivery.ports.errors import Conflict, Unavailable
from delivery.ports.mesh import Live, Route, Stamp
from delivery.sandbox.envoy import find_envoy
from tests.integration.engine_fleet import CLUSTER, Fleet, Time


class RealTime(Time):
    """The machine's own."""

    def now(self) -> Micros:
        return Micros(time.time_ns() // 1000)

    def monotonic(self) -> float:
        return time.monotonic()

    def lasted(self) -> float:
        return time.monotonic()  # which is the same in all processes

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)


class Stopping(EnvoyMesh):
    """`weight` is the candidate's at which the process stands still, once."""

    def __init__(self, files: Files, admin: Admin, journal: Path, weight: int | None) -> None:
        super().__init__(CLUSTER, files, [admin], Validator(find_envoy()))
        self._journal, self._weight = journal, weight

    def write(self, route: Route, stamp: Stamp, expect: str) -> Live:
        what = f"{route.traffic.weight} in epoch {stamp.epoch}"
        if route.traffic.weight == self._weight:
            self._weight = None
            os.kill(os.getpid(), signal.SIGSTOP)
        try:
            live = super().write(route, stamp, expect)
        except Conflict:
            self._tell(f"conflict {what}")
            raise
        self._tell(f"landed {what}")
        return live

    def _tell(self, line: str) -> None:
        with self._journal.open("a") as file:
            file.write(line + "\n")


def main(url: str, directory: str, admin: str, journal: str, weight: str = "") -> None:
    mesh = Stopping(Files(Path(directory)), Admin(admin), Path(journal), int(weight) if weight else None)
    fleet = Fleet(url, RealTime(), mesh)
    while True:
        with suppress(Unavailable):  # the other one has the lock of the database's file
            fleet.drain.run(0.5)
        time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
