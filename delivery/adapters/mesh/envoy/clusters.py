"""Backends as Envoy clusters. Pure.

A version has one cluster for each lane, all with the same endpoints, so that users' requests, mirrored copies and the
originals of the copies are counted apart.
"""

from collections.abc import Mapping
from typing import Any

from delivery.model.version import Backend, Endpoint, Lane

TYPE = "type.googleapis.com/"
CLUSTER_TYPE = TYPE + "envoy.config.cluster.v3.Cluster"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
CONNECT_TIMEOUT = "0.5s"
IDLE_TIMEOUT = "30s"
"""Less than common servers' keep-alive: a connection that the server closes first can break the next request."""
MIRROR_LIMIT = 64
"""Copies in flight. A hanging shadow holds a connection for each copy until the route's timeout."""
Cluster = dict[str, Any]


def lanes(backend: Backend, endpoints: tuple[Endpoint, ...]) -> tuple[Cluster, ...]:
    """Every cluster of a version."""
    return tuple(_cluster(backend.lane(lane), endpoints, lane) for lane in Lane)


def names(backend: Backend) -> frozenset[str]:
    """The names of every cluster of a version."""
    return frozenset(backend.lane(lane) for lane in Lane)


def addresses(cluster: Mapping[str, Any]) -> tuple[Endpoint, ...]:
    """The endpoints of a cluster, ours or as a proxy shows it."""
    found = []
    for locality in cluster.get("load_assignment", {}).get("endpoints", ()):
        for member in locality.get("lb_endpoints", ()):
            address = member["endpoint"]["address"]["socket_address"]
            found.append(Endpoint(str(address["address"]), int(address["port_value"])))
    return tuple(sorted(found, key=lambda endpoint: (endpoint.host, endpoint.port)))


def _cluster(name: str, endpoints: tuple[Endpoint, ...], lane: Lane) -> Cluster:
    members = [
        {"endpoint": {"address": {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}}}}
        for endpoint in endpoints
    ]
    cluster: Cluster = {
        "@type": CLUSTER_TYPE,
        "name": name,
        "type": "STATIC",
        "connect_timeout": CONNECT_TIMEOUT,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": members}]},
        "typed_extension_protocol_options": {
            HTTP_OPTIONS: {
                "@type": TYPE + HTTP_OPTIONS,
                "explicit_http_config": {"http_protocol_options": {}},
                "common_http_protocol_options": {"idle_timeout": IDLE_TIMEOUT},
            }
        },
    }
    if lane is Lane.SHADOW:
        limits = {"max_connections": MIRROR_LIMIT, "max_pending_requests": MIRROR_LIMIT, "max_requests": MIRROR_LIMIT}
        cluster["circuit_breakers"] = {"thresholds": [limits]}
    return cluster
