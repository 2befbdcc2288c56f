"""What a pod's first container reads from ConfigMaps, put among its variables, as a kubelet does when a pod starts."""

from collections.abc import Mapping
from typing import Any

from tests.cluster.testbed.api import Api


def with_variables(pod: Mapping[str, Any], api: Api) -> Mapping[str, Any]:
    """The pod with the values of each `envFrom.configMapRef` as variables; its own `env` wins. Raises ApiException."""
    first, *others = pod["spec"]["containers"]
    named = [one["configMapRef"]["name"] for one in first.get("envFrom") or () if "configMapRef" in one]
    if not named:
        return pod
    namespace = pod["metadata"]["namespace"]
    found: dict[str, str] = {}
    for name in named:
        found |= api.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}").get("data") or {}
    read = [{"name": name, "value": value} for name, value in found.items()]
    container = {**first, "env": [*read, *(first.get("env") or ())]}
    return {**pod, "spec": {**pod["spec"], "containers": [container, *others]}}
