"""Backends as Envoy clusters. Pure.

A version has one cluster for each lane, all with the same endpoints, so that users' requests, mirrored copies and the
originals of the copies are counted apart.
"""

import json
from collections.abc import Mapping
from typing import Any

from delivery.adapters.mesh.envoy.marker import KEY
from delivery.model.codec import canon, from_plain
from delivery.model.policy import Balance, CircuitBreaker, TrafficPolicy
from delivery.model.version import Backend, Endpoint, Lane

TYPE = "type.googleapis.com/"
CLUSTER_TYPE = TYPE + "envoy.config.cluster.v3.Cluster"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
CONNECT_TIMEOUT = "0.5s"
IDLE_TIMEOUT = "30s"
"""Less than common servers' keep-alive: a connection that the server closes first can break the next request."""
MIRROR_LIMIT = 64
"""Copies in flight. A hanging shadow holds a connection for each copy until the route's timeout."""
_LIMITING = ("circuit_breakers", "outlier_detection", "common_lb_config", "lb_policy", "metadata")
_USUAL_MOST = 1024
_BALANCE = {Balance.ROUND_ROBIN: "ROUND_ROBIN", Balance.LEAST_REQUEST: "LEAST_REQUEST", Balance.RANDOM: "RANDOM"}
Cluster = dict[str, Any]


def lanes(
    backend: Backend, endpoints: tuple[Endpoint, ...], policy: TrafficPolicy | None = None
) -> tuple[Cluster, ...]:
    """Every cluster of a version; the policy is on the one that users' requests go to."""
    plain, *others = (_cluster(backend.lane(lane), endpoints, lane) for lane in Lane)
    return (limited(plain, policy), *others)


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


def limited(cluster: Cluster, policy: TrafficPolicy | None) -> Cluster:
    """The cluster with just this policy, which it tells in its metadata."""
    plain = {key: value for key, value in cluster.items() if key not in _LIMITING}
    text = told(policy)
    if policy is None or not text:
        return plain
    return {**plain, **_limits(policy), "metadata": {"filter_metadata": {KEY: {"policy": text}}}}


def told(policy: TrafficPolicy | None) -> str:
    """The part of a policy that a cluster has to do with, as it tells it; empty where there is none."""
    own = TrafficPolicy(
        retries=policy.retries if policy and policy.retries and policy.retries.attempts else None,
        circuit_breaker=policy.circuit_breaker if policy else None,
        load_balancing=policy.load_balancing if policy else None,
    )
    return "" if own == TrafficPolicy() else canon(own).decode()


def policy_of(cluster: Mapping[str, Any] | None) -> TrafficPolicy | None:
    """The policy that a cluster tells, ours or as a proxy shows it."""
    text = shown(cluster or {})
    try:
        return from_plain(TrafficPolicy, json.loads(text)) if text else None
    except (ValueError, TypeError, KeyError):  # somebody's edit may look like anything
        return None


def shown(cluster: Mapping[str, Any]) -> str:
    """What a cluster tells of its policy."""
    try:
        return str(cluster["metadata"]["filter_metadata"][KEY]["policy"])
    except (KeyError, TypeError):
        return ""


def _limits(policy: TrafficPolicy) -> dict[str, Any]:
    breaker = policy.circuit_breaker or CircuitBreaker()
    found: dict[str, Any] = {}
    threshold: dict[str, int] = {}
    if (most := breaker.max_requests) is not None:
        threshold = {"max_connections": most, "max_pending_requests": most, "max_requests": most}
    if policy.retries is not None:
        threshold["max_retries"] = most or _USUAL_MOST  # Envoy's default of 3 at once would end most of them
    if threshold:
        found["circuit_breakers"] = {"thresholds": [threshold]}
    if breaker.consecutive_5xx is not None:
        found["outlier_detection"] = {
            "consecutive_5xx": breaker.consecutive_5xx,
            "interval": "1s",
            "base_ejection_time": f"{breaker.ejection / 1_000_000:g}s",
            "max_ejection_percent": 100,
        }
        # By default Envoy sends requests to ejected endpoints again once half of them are.
        found["common_lb_config"] = {"healthy_panic_threshold": {"value": 0}}
    if policy.load_balancing is not None:
        found["lb_policy"] = _BALANCE[policy.load_balancing]
    return found
