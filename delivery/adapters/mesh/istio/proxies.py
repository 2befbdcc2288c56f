"""Where proxies and istiod's replicas are: as configured, or wherever their pods are ready now."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import path

FRESH_SECONDS = 2.0
"""How old a list of pods may be: a confirmation asks several times a second."""


class Addresses(Protocol):
    def find(self) -> Mapping[str, str]:
        """Names for people -> `HOST:PORT`. Raises Unavailable and Refused as the Kubernetes API does."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same ones always."""

    addresses: tuple[str, ...]

    def find(self) -> Mapping[str, str]:
        return {address: address for address in self.addresses}


@dataclass(slots=True)
class Pods:
    """The ready pods that a label selector finds."""

    kube: Kube
    namespace: str
    selector: str
    port: int
    _found: tuple[float, Mapping[str, str]] = field(default=(float("-inf"), {}))

    def find(self) -> Mapping[str, str]:
        at, found = self._found
        if time.monotonic() - at > FRESH_SECONDS:
            listed = self.kube.get(path("v1", "Pod", self.namespace), labelSelector=self.selector)["items"]
            found = {
                f"{pod['metadata']['name']}.{self.namespace}": f"{pod['status']['podIP']}:{self.port}"
                for pod in listed
                if _is_ready(pod)
            }
            self._found = (time.monotonic(), found)
        return found


def _is_ready(pod: Mapping[str, Any]) -> bool:
    """One that is being deleted still serves, but is told nothing any more."""
    status = pod.get("status", {})
    conditions = status.get("conditions") or ()
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and bool(status.get("podIP")) and "deletionTimestamp" not in pod["metadata"]
