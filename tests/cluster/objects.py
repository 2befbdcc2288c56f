"""The objects of a small service in versions, as people write them."""

from collections.abc import Mapping

from tests.cluster.testbed.api import Document
from tests.cluster.testbed.cluster import GATEWAY

ISTIO = "networking.istio.io/v1"
PORT = 8080


def fqdn(service: str, namespace: str) -> str:
    return f"{service}.{namespace}.svc.cluster.local"


def deployment(
    namespace: str, app: str, version: str, *, replicas: int = 1, annotations: Mapping[str, str] | None = None
) -> Document:
    labels = {"app": app, "version": version}
    container = {
        "name": "app",
        "image": f"{app}:{version}",
        "ports": [{"name": "http", "containerPort": PORT}],
        "env": [{"name": "VERSION", "value": version}],
    }
    template = {
        "metadata": {"labels": labels, "annotations": {f"testbed/{k}": v for k, v in (annotations or {}).items()}},
        "spec": {"containers": [container]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{app}-{version}", "namespace": namespace, "labels": labels},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def service(namespace: str, app: str) -> Document:
    port = {"name": "http", "port": 80, "targetPort": "http"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": app, "namespace": namespace},
        "spec": {"selector": {"app": app}, "ports": [port]},
    }


def destination_rule(namespace: str, app: str, *versions: str) -> Document:
    subsets = [{"name": version, "labels": {"version": version}} for version in versions]
    return {
        "apiVersion": ISTIO,
        "kind": "DestinationRule",
        "metadata": {"name": app, "namespace": namespace},
        "spec": {"host": fqdn(app, namespace), "subsets": subsets},
    }


def virtual_service(namespace: str, app: str, host: str, weights: Mapping[str, int]) -> Document:
    """`weights` by subset; the route has the name `main`-NAMESPACE."""
    routes = [
        {"destination": {"host": fqdn(app, namespace), "subset": subset}, "weight": weight}
        for subset, weight in weights.items()
    ]
    return {
        "apiVersion": ISTIO,
        "kind": "VirtualService",
        "metadata": {"name": app, "namespace": namespace},
        "spec": {"hosts": [host], "gateways": [GATEWAY], "http": [{"name": f"main-{namespace}", "route": routes}]},
    }
