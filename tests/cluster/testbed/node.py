"""The node of the testbed, a program: it binds pods, runs a real process for each, and writes their status.

    python -m tests.cluster.testbed.node --kubeconfig K --address 198.18.7.2 --holder PID --logs DIR --targets FILE

It is scheduler and kubelet in one. What a pod does beside serving, its annotations say: see script.py.
"""

import argparse
import contextlib
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urllib3
from kubernetes.client.exceptions import ApiException

from tests.cluster.testbed.api import STRATEGIC, Api
from tests.cluster.testbed.errand import Errand
from tests.cluster.testbed.monitoring import write_targets
from tests.cluster.testbed.network import FIRST_POD, LAST_POD
from tests.cluster.testbed.pod_life import PodLife
from tests.cluster.testbed.variables import with_variables

NAME = "testbed-node"
TICK_SECONDS = 0.05
WATCH_SECONDS = 30
PODS = "/api/v1/pods"

Pod = dict[str, Any]


class Node:
    """Everything happens in the thread that calls `run`; the watch only tells."""

    def __init__(self, api: Api, address: str, holder: int, logs: Path, targets: Path) -> None:
        self._api = api
        self._address = address
        self._holder = holder
        self._logs = logs
        self._targets = targets
        self._told_targets: frozenset[str] | None = None
        self._told: queue.SimpleQueue[tuple[str, Pod]] = queue.SimpleQueue()
        self._lives: dict[str, PodLife | Errand] = {}
        self._reported: dict[str, dict[str, Any]] = {}
        self._next_address = FIRST_POD

    def register(self) -> None:
        """Makes the Node and says that it is ready."""
        with contextlib.suppress(ApiException):  # it is there from the last time
            self._api.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME}})
        room = {"cpu": "64", "memory": "256Gi", "pods": "110"}
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "a node of the tests"}
        status = {
            "addresses": [{"type": "InternalIP", "address": self._address}, {"type": "Hostname", "address": NAME}],
            "conditions": [ready],
            "capacity": room,
            "allocatable": room,
        }
        self._api.patch(f"/api/v1/nodes/{NAME}/status", {"status": status}, STRATEGIC)

    def run(self) -> None:
        threading.Thread(target=self._watch, daemon=True).start()
        while True:
            self._hear()
            for life in tuple(self._lives.values()):
                life.step()
                self._report(life)
            self._tell_prometheus()

    def _watch(self) -> None:
        """Tells of every pod: all at first, and again after each break."""
        while True:
            try:
                self._watch_once()
            except (ApiException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                print(f"watch: {error}", file=sys.stderr, flush=True)
                threading.Event().wait(0.2)

    def _watch_once(self) -> None:
        listed = self._api.get(PODS)
        for pod in listed["items"]:
            self._told.put(("MODIFIED", pod))
        self._told.put(("ONLY", {"uids": {pod["metadata"]["uid"] for pod in listed["items"]}}))
        with self._api.watch(PODS, listed["metadata"]["resourceVersion"], WATCH_SECONDS) as events:
            for event in events:
                if event["type"] == "ERROR":
                    return
                self._told.put((event["type"], event["object"]))

    def _hear(self) -> None:
        with contextlib.suppress(queue.Empty):
            kind, pod = self._told.get(timeout=TICK_SECONDS)
            while True:
                self._take(kind, pod)
                kind, pod = self._told.get_nowait()

    def _take(self, kind: str, pod: Pod) -> None:
        if kind == "ONLY":
            for uid in self._lives.keys() - pod["uids"]:
                self._forget(uid)
            return
        metadata = pod["metadata"]
        if kind == "DELETED":
            self._forget(metadata["uid"])
        elif not pod["spec"].get("nodeName"):
            self._bind(pod)
        elif pod["spec"]["nodeName"] == NAME:
            self._see(pod)

    def _bind(self, pod: Pod) -> None:
        name = pod["metadata"]["name"]
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}}
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{name}/binding"
        _done(self._api.post, path, body | {"target": {"kind": "Node", "name": NAME}})

    def _see(self, pod: Pod) -> None:
        metadata = pod["metadata"]
        life = self._lives.get(metadata["uid"])
        if life is None:
            log = self._logs / f"pod-{metadata['name']}.log"
            try:
                kind = Errand if pod["spec"].get("restartPolicy") == "Never" else PodLife
                known = with_variables(pod, self._api)
                life = kind(known, self._new_address(), self._address, self._holder, log)
            except (ValueError, KeyError, OSError, ApiException) as reason:
                print(f"pod {metadata['name']} is not run: {reason}", file=sys.stderr, flush=True)
                return
            self._lives[life.uid] = life
        if metadata.get("deletionTimestamp"):
            life.delete()

    def _new_address(self) -> str:
        """Not one that a pod had a moment ago: proxies may still send there."""
        taken = {life.address for life in self._lives.values()}
        for _ in range(LAST_POD - FIRST_POD + 1):
            address = f"{self._address.rpartition('.')[0]}.{self._next_address}"
            self._next_address = FIRST_POD if self._next_address == LAST_POD else self._next_address + 1
            if address not in taken:
                return address
        raise ValueError("this node has no address left")

    def _report(self, life: PodLife | Errand) -> None:
        if life.gone:
            self._remove(life)
            return
        status = life.status()
        if self._reported.get(life.uid) == status:
            return
        body = {"metadata": {"uid": life.uid}, "status": status}
        if _done(self._api.patch, f"{life.path}/status", body, STRATEGIC):
            self._reported[life.uid] = status

    def _remove(self, life: PodLife | Errand) -> None:
        if _done(self._api.delete, life.path, gracePeriodSeconds=0, preconditions={"uid": life.uid}):
            self._forget(life.uid)

    def _tell_prometheus(self) -> None:
        """Writes what there is to scrape, where that has changed."""
        if self._told_targets != self._lives.keys():
            write_targets(self._targets, (life.target for life in self._lives.values() if life.target))
            self._told_targets = frozenset(self._lives)

    def _forget(self, uid: str) -> None:
        life = self._lives.pop(uid, None)
        self._reported.pop(uid, None)
        if life is not None:
            life.kill()


def _done(call: Callable[..., Any], *arguments: Any, **options: Any) -> bool:
    """Whether the API took it. A pod that is gone or has changed is ordinary: the watch tells what to do next."""
    try:
        call(*arguments, **options)
    except ApiException as error:
        if error.status not in (404, 409):
            print(f"{arguments}: {error}", file=sys.stderr, flush=True)
        return False
    except urllib3.exceptions.HTTPError as error:
        print(f"{arguments}: {error}", file=sys.stderr, flush=True)
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--holder", type=int, required=True)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--targets", type=Path, required=True, help="written: what Prometheus is to scrape")
    given = parser.parse_args()
    node = Node(Api(given.kubeconfig), given.address, given.holder, given.logs, given.targets)
    node.register()
    node.run()


if __name__ == "__main__":
    main()
