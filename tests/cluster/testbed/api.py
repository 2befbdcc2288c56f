"""The Kubernetes API in plain documents, over the official client: the same calls for every kind of object."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import kubernetes
from kubernetes.client.exceptions import ApiException

CALL_SECONDS = 10.0
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"

Document = dict[str, Any]

_PLURALS = {
    "CustomResourceDefinition": "customresourcedefinitions",
    "DestinationRule": "destinationrules",
    "Gateway": "gateways",
    "Ingress": "ingresses",
    "NetworkPolicy": "networkpolicies",
    "ServiceEntry": "serviceentries",
    "VirtualService": "virtualservices",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "Telemetry": "telemetries",
    "PodDisruptionBudget": "poddisruptionbudgets",
}
_CLUSTERWIDE = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "Namespace",
    "Node",
    "ValidatingWebhookConfiguration",
}


class Api:
    """Every call has a time limit, and raises ApiException for an answer that is not 2xx."""

    def __init__(self, kubeconfig: Path) -> None:
        self._client = kubernetes.config.new_client_from_config(str(kubeconfig))

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **query: str) -> Document:
        return self._call("GET", path, None, query)

    def create(self, body: Mapping[str, Any], **query: str) -> Document:
        """Creates an object where its own document says."""
        return self._call("POST", place(body), body, query)

    def post(self, path: str, body: Mapping[str, Any]) -> Document:
        return self._call("POST", path, body, {})

    def replace(self, body: Mapping[str, Any]) -> Document:
        return self._call("PUT", f"{place(body)}/{body['metadata']['name']}", body, {})

    def patch(self, path: str, body: Mapping[str, Any], kind: str = MERGE) -> Document:
        return self._call("PATCH", path, body, {}, kind)

    def delete(self, path: str, **options: Any) -> Document:
        """`options` as DeleteOptions has them."""
        return self._call("DELETE", path, options or None, {})

    @contextlib.contextmanager
    def watch(self, path: str, since: str, seconds: int) -> Iterator[Iterator[Document]]:
        """The events after a resource version, for so long."""
        query = {"watch": "true", "resourceVersion": since, "timeoutSeconds": str(seconds)}
        response = self._send("GET", path, None, query, None, (CALL_SECONDS, seconds + CALL_SECONDS))
        try:
            if response.status != 200:
                raise ApiException.from_response(http_resp=response, body=response.read().decode(), data=None)
            yield (json.loads(line) for line in response.response)
        finally:
            response.response.close()

    def _call(self, method: str, path: str, body: Any, query: Mapping[str, str], kind: str | None = None) -> Document:
        response = self._send(method, path, body, query, kind, CALL_SECONDS)
        text = response.read().decode()
        if not 200 <= response.status <= 299:
            raise ApiException.from_response(http_resp=response, body=text, data=None)
        return json.loads(text)

    def _send(
        self, method: str, path: str, body: Any, query: Mapping[str, str], kind: str | None, limit: float | tuple
    ) -> Any:
        headers = {"Accept": "application/json", "Content-Type": kind or "application/json"}
        address = f"{path}?{urlencode(query)}" if query else path
        request = self._client.param_serialize(
            method, address, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        return self._client.call_api(*request, _request_timeout=limit)


def place(body: Mapping[str, Any]) -> str:
    """The path of the collection that an object belongs to."""
    version, kind = body["apiVersion"], body["kind"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    plural = _PLURALS.get(kind, f"{kind.lower()}s")
    if kind in _CLUSTERWIDE:
        return f"{root}/{plural}"
    return f"{root}/namespaces/{body['metadata'].get('namespace', 'default')}/{plural}"
