"""Where objects are in the Kubernetes API. Pure."""

from collections.abc import Mapping
from typing import Any

Document = dict[str, Any]
ISTIO = "networking.istio.io/v1"

_PLURALS = {
    "AuthorizationPolicy": "authorizationpolicies",
    "NetworkPolicy": "networkpolicies",
    "Telemetry": "telemetries",
}
_CLUSTERWIDE = {"Namespace", "Node", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"}


def path(api_version: str, kind: str, namespace: str | None = None, name: str | None = None) -> str:
    """The path of an object, or without `name` of its collection; of all namespaces where none is given."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    plural = _PLURALS.get(kind, f"{kind.lower()}s")
    where = f"{root}/namespaces/{namespace}" if namespace is not None and kind not in _CLUSTERWIDE else root
    return f"{where}/{plural}" + (f"/{name}" if name is not None else "")


def collection(body: Mapping[str, Any]) -> str:
    """The path of the collection that an object belongs to."""
    return path(body["apiVersion"], body["kind"], body["metadata"].get("namespace"))


def path_of(body: Mapping[str, Any]) -> str:
    """The path of an object."""
    return path(body["apiVersion"], body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"])
