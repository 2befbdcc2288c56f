"""The contract's world where only somebody else writes to the cluster: routes are committed, and a follower applies
them."""

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client.exceptions import ApiException

from delivery.adapters.git.configured import objects
from delivery.adapters.kube.objects import path, path_of
from delivery.adapters.kube.through_git import GitKube
from delivery.adapters.mesh.istio.adapter import IstioMesh
from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.adapters.mesh.istio.proof import Proof
from delivery.model.ids import TargetId
from tests.cluster.istio_world import IstioWorld
from tests.cluster.testbed.api import Api
from tests.cluster.testbed.cluster import Cluster
from tests.git_server import GitServer

FOLDER = "prod"
PERIOD = 0.1


class Follower:
    """The least of what Argo CD does: what the head of the branch says is applied, and what left it is deleted."""

    def __init__(self, api: Api, server: GitServer, namespace: str) -> None:
        self._api = api
        self._server = server
        self._namespace = namespace
        self._applied: dict[str, dict[str, Any]] = {}
        self.holds = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(PERIOD):
            if not self.holds.is_set():
                self._look()

    def _look(self) -> None:
        wanted = {path_of(one): one for one in self._server.objects(FOLDER)}
        for at in self._applied.keys() - wanted.keys():
            with suppress(ApiException):
                self._api.delete(at)
            del self._applied[at]
        for at, one in wanted.items():
            if self._applied.get(at) != one:
                with suppress(ApiException):  # refused by the webhook, or a conflict: the next look tries again
                    self._apply(at, one)
                    self._applied[at] = one

    def _apply(self, at: str, wanted: dict[str, Any]) -> None:
        try:
            live = self._api.get(at)
        except ApiException:
            self._api.create(wanted)
            return
        changed = copy.deepcopy(live)
        changed["spec"] = {**live["spec"], **wanted["spec"]} if wanted["kind"] == "Service" else wanted["spec"]
        for key in ("labels", "annotations"):
            changed["metadata"][key] = wanted["metadata"].get(key) or {}
        self._api.replace(changed)


class GitWorld(IstioWorld):
    """As the cluster's, but for where routes are stored."""

    def __init__(self, testbed: Cluster, namespace: str, istiods: Istiods, folder: Path) -> None:
        self._folder = folder
        self._workers = 0
        self.git = GitServer(folder, {"README": "hello\n", f"{FOLDER}/README": "what runs\n"})
        self.follower = Follower(testbed.api, self.git, namespace)
        super().__init__(testbed, namespace, istiods)

    def _made(self, kubeconfig: str, proof: Proof, tagged: bool) -> IstioMesh:
        self._workers += 1
        stored = objects(url=self.git.url, directory=str(self._folder / f"w{self._workers}"), folder=FOLDER)
        kube = GitKube(stored, kubeconfig)
        return IstioMesh(self.cluster, kube, self.place, proof, git=stored, tagged=tagged)

    def ensure(self, body: dict[str, Any]) -> None:
        if body["kind"] != "VirtualService":
            super().ensure(body)
            return
        name = body["metadata"]["name"]
        if name not in {one["metadata"]["name"] for one in self.git.objects(FOLDER)}:
            text = f"# routes of {name}\n{yaml.safe_dump(body, sort_keys=False)}"
            self.git.commit(f"{name} is there", {f"{FOLDER}/{name}.yaml": text})
        self.until(lambda: name in self._there())

    def change_unseen(self, name: str, change: Callable[[dict[str, Any]], object]) -> None:
        (found,) = (
            one
            for one in self.git.objects(FOLDER)
            if one["kind"] == "VirtualService" and one["metadata"]["name"] == name
        )
        change(found)
        self.git.commit("by hand", {f"{FOLDER}/{name}.yaml": yaml.safe_dump(found, sort_keys=False)})

    def change(self, target: TargetId, change: Callable[[dict[str, Any]], object]) -> None:
        """Somebody commits an edit. Returns when it is applied, and both workers have seen it in either place."""
        workers = (self.mesh, self.other)
        before = [mesh.read(target).content for mesh in workers]
        self.change_unseen(target.rpartition("@")[0], change)
        self.until(lambda: all(mesh.read(target).content != was for mesh, was in zip(workers, before, strict=True)))
        self.until(lambda: all(mesh.observe().get(target) == mesh.read(target).seen for mesh in workers))

    def close(self) -> None:
        super().close()
        self.follower.stop()

    def _there(self) -> set[str]:
        at = path("networking.istio.io/v1", "VirtualService", self.namespace)
        return {one["metadata"]["name"] for one in self.testbed.api.get(at)["items"]}


def running(testbed: Cluster, namespace: str, istiods: Istiods, folder: Path) -> Iterator[GitWorld]:
    """A world for a fixture."""
    world = GitWorld(testbed, namespace, istiods, folder)
    try:
        yield world
    finally:
        world.close()
