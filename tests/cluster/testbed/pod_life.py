"""One pod on the testbed's node: its process, and the status that follows from it."""

import datetime
import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from delivery.sandbox.launch import bound_to
from tests.cluster.testbed.monitoring import target
from tests.cluster.testbed.network import entering
from tests.cluster.testbed.script import Script, script_of

ROOT = Path(__file__).resolve().parents[3]
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 4.0
"""Before a crashed container is started again, in seconds: a real node's times, made shorter."""


class PodLife:
    """Told the time, moved by `step`; `status()` is what the node has to report, `target` what is to be scraped."""

    def __init__(self, pod: Mapping[str, Any], address: str, node: str, holder: int, log: Path) -> None:
        self.name: str = pod["metadata"]["name"]
        self.path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{self.name}"
        self.uid: str = pod["metadata"]["uid"]
        self.address = address
        self._container = pod["spec"]["containers"][0]
        self._script: Script = script_of(pod)
        self.target = target(pod, address, self._script.port)
        self._node, self._holder, self._log = node, holder, log
        self._began = stamp()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._restarts = 0
        self._start_at: float | None = None if self._script.no_image is not None else time.monotonic()
        self._ends_at: float | None = None
        self._ready = False
        self._ready_since = self._began
        self.gone = False

    def delete(self) -> None:
        """Its deletion was asked for: it serves on for a while, then ends."""
        if self._ends_at is None:
            self._ends_at = time.monotonic() + self._script.linger

    def step(self) -> None:
        """Moves its life on to now."""
        now = time.monotonic()
        if self._ends_at is not None and now >= self._ends_at:
            self._end()
            return
        if self._process is not None and self._process.poll() is not None:
            self._crashed(now)
        if self._process is None and self._start_at is not None and now >= self._start_at and self._ends_at is None:
            self._start(now)
        crash = self._script.crash_after
        if self._process is not None and crash is not None and now >= self._started_at + crash:
            self._process.kill()
        self._set_ready(self._is_ready(now))

    def kill(self) -> None:
        """Ends its process at once, as its node's death would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def status(self) -> dict[str, Any]:
        """As the API has it."""
        running = self._process is not None
        container = {
            "name": self._container["name"],
            "image": self._container["image"],
            "imageID": image_id(self._container["image"]),
            "containerID": f"testbed://{self.uid}",
            "ready": self._ready,
            "started": running,
            "restartCount": self._restarts,
            "state": {"running": {"startedAt": self._began}} if running else {"waiting": self._waiting()},
            "lastState": {"terminated": self._crash()} if self._restarts else {},
        }
        ready = "True" if self._ready else "False"
        conditions = [
            {"type": kind, "status": value, "lastTransitionTime": since}
            for kind, value, since in (
                ("PodScheduled", "True", self._began),
                ("Initialized", "True", self._began),
                ("ContainersReady", ready, self._ready_since),
                ("Ready", ready, self._ready_since),
            )
        ]
        return {
            "phase": "Running" if running or self._restarts else "Pending",
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "hostIP": self._node,
            "startTime": self._began,
            "conditions": conditions,
            "containerStatuses": [container],
        }

    def _waiting(self) -> dict[str, Any]:
        if self._script.no_image is not None:
            return {"reason": "ImagePullBackOff", "message": self._script.no_image}
        return {"reason": "CrashLoopBackOff" if self._restarts else "ContainerCreating"}

    def _crash(self) -> dict[str, Any]:
        return {"exitCode": 1, "reason": "Error", "message": self._script.last_words}

    def _start(self, now: float) -> None:
        script = self._script
        command = [sys.executable, "-m", "tests.cluster.testbed.pod", "--address", self.address]
        command += ["--port", str(script.port), "--version", script.version, "--faults", script.faults]
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                bound_to(os.getpid(), entering(self._holder, command)),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._started_at, self._start_at = now, None

    def _crashed(self, now: float) -> None:
        self._process = None
        self._start_at = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._restarts)
        self._restarts += 1

    def _is_ready(self, now: float) -> bool:
        script = self._script
        if self._process is None or script.never_ready or now < self._started_at + script.ready_after:
            return False
        return self._ready or _listens(self.address, script.port)

    def _set_ready(self, ready: bool) -> None:
        if ready != self._ready:
            self._ready, self._ready_since = ready, stamp()

    def _end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()  # it ends its connections in order
            self._process.poll()
            return
        self._process = None
        self._set_ready(False)
        self.gone = True


def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=0.2):
            return True
    except OSError:
        return False


def image_id(image: str) -> str:
    """With a digest, as a registry would tell it: the image's own, else one made up for its name."""
    name, _, digest = image.partition("@")
    return f"{name.rpartition(':')[0] or name}@{digest or 'sha256:' + hashlib.sha256(image.encode()).hexdigest()}"


def stamp() -> str:
    """Now, as the API writes times."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
