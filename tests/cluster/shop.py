"""A service as a Helm chart leaves it in a namespace, and the questions that tests ask about it."""

import http.client
from collections.abc import Iterator
from typing import Any

from delivery.adapters.kube.client import JSON_PATCH, Kube
from delivery.adapters.kube.objects import Document, path
from delivery.model.ids import target_id
from delivery.model.place import CLUSTER_DOMAIN, Place, object_name
from delivery.model.service import Workload
from delivery.model.version import Backend, Endpoint, VersionRef
from tests.cluster import wire
from tests.cluster.objects import PORT
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.process import wait_until

TARGET = target_id("checkout", "local")
NAME = "checkout"
SECONDS = 60  # that no healthy machine needs
OLD, NEW = (VersionRef.of(version, f"registry.example/checkout:{version}") for version in ("1.4.1", "1.4.2"))
HELM = {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "shop", "helm.sh/chart": "checkout-0.3.0"}
SELECTED = {"app.kubernetes.io/name": "checkout", "app.kubernetes.io/instance": "shop"}


class Shop:
    """One Deployment behind one Service, both called checkout."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.kube = Kube(str(cluster.kubeconfig))
        self.place = Place(namespace, NAME, NAME)

    @property
    def workload(self) -> Workload:
        return Workload("deployment", NAME, self.place)

    def deploy(self, replicas: int = 1, annotations=None, version: VersionRef = OLD) -> None:
        """Creates both, without waiting."""
        self.create(deployment(self.namespace, replicas, annotations or {}, version))
        self.create(service(self.namespace))

    def create(self, body: Document) -> None:
        """As somebody else: not with our client."""
        self.cluster.api.create(body)

    def document(self, name: str = NAME, kind: str = "Deployment", version: str = "apps/v1") -> Document:
        return self.kube.get(path(version, kind, self.namespace, name))

    def config(self) -> list[Document]:
        """The ConfigMap that is called like it."""
        return [self.document(kind="ConfigMap", version="v1")]

    def image(self) -> str:
        return str(self.document()["spec"]["template"]["spec"]["containers"][0]["image"])

    def set_image(self, image: str, manager: str = "kubectl-set") -> None:
        """As `kubectl set image` does it, or whoever else."""
        change: Any = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
        where = f"{path('apps/v1', 'Deployment', self.namespace, NAME)}?fieldManager={manager}"
        self.cluster.api.patch(where, change, JSON_PATCH)

    def has_rolled_out(self, name: str = NAME) -> bool:
        found = self.document(name=name)
        status, replicas = found.get("status", {}), found["spec"]["replicas"]
        counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
        return status.get("observedGeneration") == found["metadata"]["generation"] and counts == [replicas] * 3

    def pods(self, **labels: str) -> list[Document]:
        """Those that stay."""
        query = ",".join(f"{key}={value}" for key, value in labels.items())
        found = self.kube.get(path("v1", "Pod", self.namespace), labelSelector=query)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def kill(self, version: VersionRef) -> None:
        """Its pods are gone at once, as after their node's death."""
        name = object_name(Backend("checkout", version))
        for pod in self.pods(**{"progressive-delivery/backend": name}):
            self.cluster.api.delete(path("v1", "Pod", self.namespace, pod["metadata"]["name"]), gracePeriodSeconds=0)

    def addresses(self, endpoint: Endpoint) -> list[str]:
        """Where kube-proxy or a sidecar would send: the ready addresses behind the Service."""
        name, namespace, domain = endpoint.host.split(".", 2)
        assert (namespace, domain) == (self.namespace, CLUSTER_DOMAIN)
        found = self.kube.get(
            path("discovery.k8s.io/v1", "EndpointSlice", namespace), labelSelector=f"kubernetes.io/service-name={name}"
        )
        endpoints = [one for part in found["items"] for one in part.get("endpoints") or ()]
        return [address for one in endpoints if one["conditions"]["ready"] for address in one["addresses"]]

    def answers(self, endpoint: Endpoint) -> bool:
        found = self.addresses(endpoint)
        return bool(found) and all(map(_answers, found))

    def until(self, condition) -> None:
        wait_until("what the test waits for", condition, SECONDS, self.cluster.check)


def charted(cluster: Cluster, namespace: str, replicas: int) -> Iterator[Shop]:
    """For a fixture: pods of a chart with an autoscaler and a disruption budget, all of them ready."""
    shop = Shop(cluster, namespace)
    shop.deploy(replicas)
    shop.create(autoscaler(namespace))
    shop.create(budget(namespace))
    shop.until(shop.has_rolled_out)
    yield shop
    shop.kube.close()


def deployment(namespace: str, replicas: int, annotations, version: VersionRef) -> Document:
    container = {
        "name": "checkout",
        "image": version.image,
        "ports": [{"name": "http", "containerPort": PORT}],
    }
    labels = {**SELECTED, "app.kubernetes.io/version": version.version}
    template = {
        "metadata": {"labels": labels, "annotations": {f"testbed/{key}": value for key, value in annotations.items()}},
        "spec": {"containers": [container]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": NAME,
            "namespace": namespace,
            "labels": {**labels, **HELM},
            "annotations": {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": namespace},
        },
        "spec": {"replicas": replicas, "selector": {"matchLabels": SELECTED}, "template": template},
    }


def service(namespace: str) -> Document:
    port = {"name": "http", "port": 80, "targetPort": "http"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": namespace, "labels": {**SELECTED, **HELM}},
        "spec": {"selector": SELECTED, "ports": [port]},
    }


def autoscaler(namespace: str, name: str = NAME, least: int = 2, most: int = 6) -> Document:
    utilization = {"type": "Utilization", "averageUtilization": 70}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(HELM)},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": utilization}}],
        },
    }


def budget(namespace: str, least: int = 2) -> Document:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": NAME, "namespace": namespace, "labels": dict(HELM)},
        "spec": {"minAvailable": least, "selector": {"matchLabels": SELECTED}},
    }


def _answers(address: str) -> bool:
    connection = http.client.HTTPConnection(address, PORT, timeout=wire.SECONDS)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
