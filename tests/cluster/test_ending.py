"""A testbed that is killed leaves nothing behind: no process, no interface, no namespace."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.cluster.testbed.pod_life import ROOT
from tests.cluster.testbed.process import wait_until

START_SECONDS = 120
END_SECONDS = 30


def relatives(parent: int) -> set[int]:
    """The processes below one, of all generations."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue  # it has ended meanwhile
    found: set[int] = set()
    new = {parent}
    while new:
        new = {pid for pid, above in parents.items() if above in new} - found
        found |= new
    return found


def runs(pid: int) -> bool:
    """Whether it lives; a zombie that its new parent has not buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def interfaces() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir() if path.name.startswith("pd")}


def test_kill_9_leaves_nothing(tmp_path: Path) -> None:
    before = interfaces()
    output = tmp_path / "output"
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with output.open("w") as file:
        testbed = subprocess.Popen(
            [sys.executable, "-m", "tools.cluster"], cwd=ROOT, env=environment, stdout=file, stderr=file
        )
    try:

        def ready() -> bool:
            assert testbed.poll() is None, output.read_text()
            return "KUBECONFIG=" in output.read_text()

        wait_until("a second testbed", ready, START_SECONDS)
        below = relatives(testbed.pid)
        assert len(below) >= 7, output.read_text()
        assert interfaces() - before
    finally:
        testbed.send_signal(signal.SIGKILL)
        testbed.wait()
    wait_until("all of it has ended", lambda: not any(map(runs, below)), END_SECONDS)
    wait_until("its interfaces are gone", lambda: not interfaces() - before, END_SECONDS)
