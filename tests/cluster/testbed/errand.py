"""A pod of the testbed that ends by itself, as a Job's does: the first container's own command, as a real process."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from delivery.sandbox.launch import bound_to
from tests.cluster.testbed.network import entering
from tests.cluster.testbed.pod_life import ROOT, image_id, stamp

LONGEST_MESSAGE = 2048
"""Bytes of a container's last words, as a kubelet keeps them."""


class Errand:
    """Told the time, moved by `step`, as PodLife is. It is in the pods' network, and reaches what pods reach.

    Its container needs a command; its environment is the container's own, and a PATH.
    """

    target: Mapping[str, Any] | None = None  # nothing to be scraped

    def __init__(self, pod: Mapping[str, Any], address: str, node: str, holder: int, log: Path) -> None:
        metadata, self._container = pod["metadata"], pod["spec"]["containers"][0]
        self.name: str = metadata["name"]
        self.path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{self.name}"
        self.uid: str = metadata["uid"]
        self.address, self._node, self._log = address, node, log
        self._began, self._deleted, self.gone = stamp(), False, False
        self._ended: dict[str, Any] | None = None
        command = [*(self._container["command"]), *(self._container.get("args") or ())]
        env = {one["name"]: one.get("value", "") for one in self._container.get("env") or ()}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                bound_to(os.getpid(), entering(holder, command)),
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def delete(self) -> None:
        """Its deletion was asked for: it is told to end."""
        self._deleted = True
        if self._process.poll() is None:
            self._process.terminate()

    def step(self) -> None:
        code = self._process.poll()
        if code is not None and self._ended is None:
            self._ended = {
                "exitCode": code if code >= 0 else 128 - code,
                "reason": "Completed" if code == 0 else "Error",
                "message": self._last_words() if code else "",
                "startedAt": self._began,
                "finishedAt": stamp(),
            }
        elif self._ended is not None and self._deleted:
            self.gone = True  # a step later, so that its end is reported first

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def status(self) -> dict[str, Any]:
        ended = self._ended
        phase = "Running" if ended is None else "Failed" if ended["exitCode"] else "Succeeded"
        container = {
            "name": self._container["name"],
            "image": self._container["image"],
            "imageID": image_id(self._container["image"]),
            "containerID": f"testbed://{self.uid}",
            "ready": ended is None,
            "started": ended is None,
            "restartCount": 0,
            "state": {"running": {"startedAt": self._began}} if ended is None else {"terminated": ended},
        }
        return {
            "phase": phase,
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "hostIP": self._node,
            "startTime": self._began,
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": self._began}],
            "containerStatuses": [container],
        }

    def _last_words(self) -> str:
        """As `terminationMessagePolicy: FallbackToLogsOnError` has it."""
        return self._log.read_bytes()[-LONGEST_MESSAGE:].decode(errors="replace")
