"""Envoy's admin interface: what a proxy really runs. Short timeouts, and Unavailable where it does not answer."""

import http.client
import json
import re
from collections.abc import Collection, Iterable
from itertools import takewhile
from typing import Any
from urllib.parse import quote

from delivery.adapters.http_socket import connect
from delivery.adapters.mesh.envoy.clusters import addresses, shown
from delivery.adapters.mesh.envoy.files import ROUTE_CONFIG, Document
from delivery.model.version import Endpoint
from delivery.ports.errors import Unavailable

SECONDS = 1.0
LONGEST = 60
"""Characters of a name by which clusters are looked up."""


class Admin:
    """`address` is `HOST:PORT`, or the path of a unix socket."""

    def __init__(self, address: str, seconds: float = SECONDS) -> None:
        self.address = address
        self._seconds = seconds

    def sections(self) -> list[Document]:
        """The virtual hosts that this proxy serves by, with their markers."""
        found: list[Document] = []
        for config in self._dump("dynamic_route_configs"):
            route_config = config.get("route_config", {})
            if route_config.get("name") == ROUTE_CONFIG:
                found.extend(route_config.get("virtual_hosts", ()))
        return found

    def clusters(self, names: Iterable[str]) -> dict[str, tuple[Endpoint, ...]]:
        """Those of these clusters that this proxy can send requests to now; one that still warms is not among them."""
        return {str(cluster.get("name")): addresses(cluster) for cluster in self._active(names)}

    def policies(self, names: Iterable[str]) -> dict[str, str]:
        """What those of these clusters that this proxy can send requests to tell of their policies."""
        return {str(cluster.get("name")): shown(cluster) for cluster in self._active(names)}

    def filters(self) -> set[str]:
        """The names of the HTTP filters in this proxy's listeners."""
        found: set[str] = set()
        for resource in ("static_listeners", "dynamic_listeners"):
            found |= _filters(self._dump(resource))
        return found

    def server_info(self) -> dict[str, Any]:
        """Version, state and uptime."""
        return self.get("/server_info")

    def get(self, path: str) -> dict[str, Any]:
        """What a path that answers JSON says."""
        body = self._ask("GET", path)
        try:
            return dict(json.loads(body))
        except ValueError as error:
            raise Unavailable(f"Envoy at {self.address} answered no JSON for {path}") from error

    def post(self, path: str) -> None:
        """Orders something, such as to drain."""
        self._ask("POST", path)

    def _active(self, names: Iterable[str]) -> list[Document]:
        """Asked for by what their names begin with: Envoy refuses a regex that is longer than about 100 characters."""
        wanted = frozenset(names)
        begin = quote(f"^{re.escape(_beginning(wanted)[:LONGEST])}.*$")
        configs = self._dump(f"dynamic_active_clusters&name_regex={begin}")
        active = [dict(config.get("cluster", {})) for config in configs]
        return [cluster for cluster in active if cluster.get("name") in wanted]

    def _dump(self, resource: str) -> list[dict[str, Any]]:
        configs = self.get(f"/config_dump?resource={resource}").get("configs", [])
        return [dict(config) for config in configs]

    def _ask(self, method: str, path: str) -> bytes:
        connection = connect(self.address, self._seconds)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(f"Envoy at {self.address} does not answer: {reason}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise Unavailable(f"Envoy at {self.address} answered {response.status} for {path}")
        return body


def _beginning(names: Collection[str]) -> str:
    """What all of them begin with; empty for no names."""
    first, last = min(names, default=""), max(names, default="")
    return "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))


def _filters(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(_filters, node))
    if not isinstance(node, dict):
        return set()
    here = {str(each.get("name")) for each in node.get("http_filters", ())}
    return here.union(*map(_filters, node.values()))
