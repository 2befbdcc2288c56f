"""Shops that somebody else keeps in the cluster: one whose Deployment an Application has, one that is all in git."""

from collections.abc import Callable
from pathlib import Path

import yaml

from delivery.adapters.kube.objects import path
from delivery.model.version import VersionRef
from tests.cluster import shop
from tests.cluster.front import LINGER, Front
from tests.cluster.git_world import FOLDER, Follower
from tests.cluster.shop import NAME, OLD
from tests.cluster.testbed import argocd
from tests.cluster.testbed.api import Document
from tests.cluster.testbed.argocd import LittleArgo
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.process import wait_until
from tests.git_server import GitServer

AUTOMATED = {"automated": {"selfHeal": True}}
SOURCE = {"repoURL": "https://git.example.org/shop.git", "path": "apps/checkout", "targetRevision": "main"}


class Followed(Front):
    """The Application is called like the namespace, syncs by itself and heals. `tag` is what a source of it means."""

    def __init__(self, cluster: Cluster, namespace: str, tag: Callable[[Document], str]) -> None:
        super().__init__(cluster, namespace)
        argocd.install(cluster.api)
        self._tag = tag
        self._template: tuple[int, dict[str, str]] = (1, {})
        self.argo = LittleArgo(cluster.api, namespace, self._render)

    def deploy(self, replicas: int = 1, annotations=None, version: VersionRef = OLD) -> None:
        """Nobody but the follower makes the Deployment."""
        self._template = (replicas, annotations or {})
        self.create(shop.service(self.namespace))
        self.create(argocd.application(self.namespace, SOURCE, self.namespace, syncPolicy=AUTOMATED))
        self.argo.start()
        there = path("apps/v1", "Deployment", self.namespace, NAME)
        wait_until("the first sync", lambda: self.kube.find(there) is not None, 60, self.cluster.check)

    def parameters(self) -> dict[str, str]:
        """Those that are set at the Application."""
        helm = self.argo.get()["spec"]["source"].get("helm") or {}
        return {one["name"]: one["value"] for one in helm.get("parameters") or ()}

    def _render(self, source: Document) -> list[Document]:
        tag = self._tag(source)
        version = VersionRef.of(tag, f"registry.example/{NAME}:{tag}")
        made = shop.deployment(self.namespace, *self._template, version)
        for key in ("labels", "annotations"):  # Helm's marks: Argo CD renders, and nobody installs
            del made["metadata"][key]
        return [made]


class InGit(Front):
    """Everything is in git, each version in a Deployment of its own; users' Service has 1.4.1 behind it."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        super().__init__(cluster, namespace)
        self.git = GitServer(folder, {"README": "hello\n"})
        self.follower = Follower(cluster.api, self.git, namespace)

    def begin(self) -> None:
        """Returns when 1.4.1 answers users."""
        users = shop.service(self.namespace)
        users["spec"]["selector"] = _selected(OLD)
        self.commit("service", users)
        self.commit("routes", self.virtual_service())
        self.deliver(OLD)
        wait_until("1.4.1 answers", lambda: self.versions() == {"1.4.1"}, 60, self.cluster.check)

    def deliver(self, version: VersionRef) -> None:
        """CI commits a version's Deployment."""
        made = shop.deployment(self.namespace, 2, LINGER, version)
        made["metadata"] = {"name": f"{NAME}-{version.version.replace('.', '-')}", "namespace": self.namespace}
        made["spec"]["selector"]["matchLabels"] = made["spec"]["template"]["metadata"]["labels"] = _selected(version)
        self.commit(made["metadata"]["name"], made)

    def commit(self, name: str, body: Document) -> None:
        text = yaml.safe_dump(body, sort_keys=False)
        self.git.commit(f"{name} of the shop", {f"{FOLDER}/{name}.yaml": text})


def _selected(version: VersionRef) -> dict[str, str]:
    return {"app.kubernetes.io/name": NAME, "version": version.version}
