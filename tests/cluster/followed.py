"""A shop whose Deployment an Application has: git says which version it runs, and a stand-in for Argo CD sees to it."""

from collections.abc import Callable

from delivery.adapters.kube.objects import path
from delivery.model.version import VersionRef
from tests.cluster import shop
from tests.cluster.front import Front
from tests.cluster.shop import NAME, OLD
from tests.cluster.testbed import argocd
from tests.cluster.testbed.api import Document
from tests.cluster.testbed.argocd import LittleArgo
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.process import wait_until

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
