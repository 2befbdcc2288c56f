"""The parts that routes are made of. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Action = dict[str, Any]
TIMEOUT = "15s"
RETRY: Mapping[str, Any] = {"retry_on": "connect-failure,refused-stream", "num_retries": 1}
"""Only what never reached a version: anything else might do a thing twice, and would hide a version's errors."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie's name and Envoy's string match of its whole value."""

    name: str
    wanted: Mapping[str, Any]

    def match(self) -> dict[str, Any]:
        return {"name": self.name, "string_match": dict(self.wanted)}


def set_cookie(value: str) -> dict[str, Any]:
    """A response header that is added beside a version's own cookies."""
    return {"header": {"key": "set-cookie", "value": value}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}


def to_cluster(
    match: Mapping[str, Any],
    cluster: str,
    *,
    name: str = "",
    mirrors: Sequence[Mapping[str, Any]] = (),
    cookie: str = "",
) -> Action:
    """A route with one destination."""
    action: Action = {"match": dict(match), "route": {"cluster": cluster, **_limits()}}
    if name:
        action["name"] = name
    if mirrors:
        action["route"]["request_mirror_policies"] = [dict(mirror) for mirror in mirrors]
    if cookie:
        action["response_headers_to_add"] = [set_cookie(cookie)]
    return action


def to_split(
    match: Mapping[str, Any],
    stable: str,
    candidate: str,
    weights: tuple[int, int],
    cookies: tuple[str, str] = ("", ""),
) -> Action:
    """A route over stable and candidate; at 0 for one of them, a route with one destination."""
    if not all(weights):
        cluster, cookie = (stable, cookies[0]) if weights[0] else (candidate, cookies[1])
        return to_cluster(match, cluster, cookie=cookie)
    entries = [
        {"name": cluster, "weight": weight} | ({"response_headers_to_add": [set_cookie(cookie)]} if cookie else {})
        for cluster, weight, cookie in zip((stable, candidate), weights, cookies, strict=True)
    ]
    return {"match": dict(match), "route": {"weighted_clusters": {"clusters": entries}, **_limits()}}


def _limits() -> dict[str, Any]:
    return {"timeout": TIMEOUT, "retry_policy": dict(RETRY)}
