"""Two workers as two processes, a real database and a real Envoy: one stands still past its lease, and never writes."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.adapters.ledger.sql import upgrade
from delivery.adapters.mesh.envoy.marker import live_weight
from delivery.model.event import Phase
from delivery.model.ids import Principal, TargetId
from delivery.model.signal import Abort
from tests.contracts.envoy_world import EnvoyWorld
from tests.integration.engine_fleet import CLUSTER, Fleet
from tests.integration.fence_worker import RealTime
from tests.integration.worker_parts import wait_for

NAME = "checkout"
TARGET = TargetId(f"{NAME}@{CLUSTER}")
LIMIT = 60.0
"""A lease and a few stages of two seconds, on a machine that is busy."""


class Processes:
    """The parent is an API: it admits, and drains nothing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._url = f"sqlite:///{directory}/delivery.db"
        upgrade(self._url)
        self.envoy = EnvoyWorld(directory)
        self.api = Fleet(self._url, RealTime(), strategies=[{"canary": {"steps": ["20%", "50%"], "bake": "2s"}}])
        self._workers: list[subprocess.Popen[bytes]] = []

    def worker(self, name: str, *stops_at: str) -> subprocess.Popen[bytes]:
        arguments = [self._url, str(self.envoy.files.directory), self.envoy.envoys[0].admin.address, self._path(name)]
        command = [sys.executable, "-W", "error", "-m", "tests.integration.fence_worker", *arguments, *stops_at]
        with (self._directory / f"{name}.log").open("wb") as log:
            self._workers.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        return self._workers[-1]

    def told(self, name: str) -> list[str]:
        """What became of this worker's writes."""
        path = Path(self._path(name))
        return path.read_text().splitlines() if path.exists() else []

    def log(self, name: str) -> str:
        return (self._directory / f"{name}.log").read_text()

    @property
    def weight(self) -> int:
        """What the Envoy itself runs."""
        (section,) = self.envoy.envoys[0].admin.sections()
        return live_weight(section)

    def close(self) -> None:
        for process in self._workers:
            process.kill()
            process.wait()
        self.api.close()
        self.envoy.close()

    def _path(self, name: str) -> str:
        return str(self._directory / f"{name}.journal")


def stands_still(process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "it ended"
    stat = Path(f"/proc/{process.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_a_worker_that_stood_still_past_its_lease_does_not_write(processes: Processes) -> None:
    api = processes.api
    api.serve(NAME)
    api.release(NAME)
    release = api.running(NAME).id
    slow = processes.worker("slow", "50")
    wait_for(lambda: stands_still(slow), "the slow worker stops before it writes 50", LIMIT)
    assert processes.told("slow") == ["landed 20 in epoch 1"]

    assert api.say(release, Abort(Principal("bob"), "errors")).outcome == "signal"
    processes.worker("quick")
    wait_for(lambda: api.running(NAME).phase is Phase.ROLLED_BACK, "the quick worker takes it back", LIMIT)
    assert processes.told("quick") == ["landed 0 in epoch 2"]

    slow.send_signal(18)
    wait_for(lambda: len(processes.told("slow")) > 1, "the slow worker's write arrives", LIMIT)
    assert processes.told("slow")[1:] == ["conflict 50 in epoch 1"]
    assert processes.weight == 0
    settled = api.row(NAME).settled
    assert settled is not None
    assert settled[:2] == (2, release)


def test_both_go_on_afterwards_and_epochs_only_grow(processes: Processes) -> None:
    """The one that stood still is as good as ever; each write of a route is of a later or the same epoch."""
    api = processes.api
    api.serve(NAME)
    slow, _ = processes.worker("slow", "20"), processes.worker("quick")
    api.release(NAME)
    wait_for(lambda: stands_still(slow) or processes.told("quick"), "somebody writes 20", LIMIT)
    if stands_still(slow):
        wait_for(lambda: processes.told("quick"), "the quick worker takes over", LIMIT)
        slow.send_signal(18)
    wait_for(lambda: api.running(NAME).phase is Phase.PROMOTED, "it is promoted", LIMIT)
    landed = [line for name in ("slow", "quick") for line in processes.told(name) if line.startswith("landed")]
    epochs = {
        int(weight): int(epoch) for weight, epoch in re.findall(r"landed (\d+) in epoch (\d+)", "\n".join(landed))
    }
    assert set(epochs) == {20, 50, 100}
    assert epochs[20] <= epochs[50] <= epochs[100]
    assert processes.weight == 100
