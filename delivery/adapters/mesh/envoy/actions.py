"""The parts that routes are made of. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from delivery.adapters.mesh.envoy.filters import Options, seconds
from delivery.model.policy import Retries, TrafficPolicy

Action = dict[str, Any]
TIMEOUT = "15s"
RETRY: Mapping[str, Any] = {"retry_on": "connect-failure,refused-stream", "num_retries": 1}
"""Only what never reached a version: anything else might do a thing twice, and would hide a version's errors."""


_AGAIN = "connect-failure,refused-stream,gateway-error"
"""What is tried again where the team asks for it: answers by a proxy too, and never a version's own 500."""
_MILLION = 1_000_000
Limits = Mapping[str, Any]
"""Timeout and retries of a route."""
EVERYBODY: Limits = {"timeout": TIMEOUT, "retry_policy": RETRY}


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie's name and Envoy's string match of its whole value."""

    name: str
    wanted: Mapping[str, Any]

    def match(self) -> dict[str, Any]:
        return {"name": self.name, "string_match": dict(self.wanted)}


@dataclass(frozen=True, slots=True)
class Share:
    """What a draw gives to a cluster: so many of the weights of all its shares, with a cookie, with its own limits."""

    cluster: str
    weight: int
    cookie: str = ""
    limits: Limits | None = None

    def alone(self, match: Mapping[str, Any]) -> Action:
        """A route to it and to nothing else."""
        return to_cluster(match, self.cluster, cookie=self.cookie, limits=self.limits)

    def entry(self) -> dict[str, Any]:
        """Its part of a route to several clusters."""
        told = {"response_headers_to_add": [set_cookie(self.cookie)]} if self.cookie else {}
        return {"name": self.cluster, "weight": self.weight} | told


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
    limits: Limits | None = None,
    options: Options | None = None,
) -> Action:
    """A route with one destination. Without `limits` of its own it has everybody's."""
    action: Action = {"match": dict(match), "route": {"cluster": cluster, **(limits or EVERYBODY)}}
    if name:
        action["name"] = name
    if mirrors:
        action["route"]["request_mirror_policies"] = [dict(mirror) for mirror in mirrors]
    if cookie:
        action["response_headers_to_add"] = [set_cookie(cookie)]
    if options:
        action["typed_per_filter_config"] = options
    return action


def to_split(match: Mapping[str, Any], shares: Sequence[Share]) -> list[Action]:
    """Routes over those that get anything.

    A weighted route has one timeout for all of its destinations: one with limits of its own gets a route that matches
    its share of requests, before the one that matches the rest.
    """
    drawn = [share for share in shares if share.weight]
    if len(drawn) == 1:
        return [drawn[0].alone(match)]
    limited = next((share for share in drawn if share.limits is not None), None)
    if limited is not None:
        part = {"numerator": round(_MILLION * limited.weight / sum(each.weight for each in drawn))}
        some = {**match, "runtime_fraction": {"default_value": {**part, "denominator": "MILLION"}}}
        return [limited.alone(some), *to_split(match, [each for each in drawn if each is not limited])]
    entries = [share.entry() for share in drawn]
    return [{"match": dict(match), "route": {"weighted_clusters": {"clusters": entries}, **EVERYBODY}}]


def limits_of(policy: TrafficPolicy | None) -> Limits | None:
    """The candidate's own, None where a policy says nothing of timeouts and retries."""
    if policy is None or (policy.timeout is None and policy.retries is None):
        return None
    timeout = {"timeout": TIMEOUT if policy.timeout is None else seconds(policy.timeout)}
    retries = {"retry_policy": dict(RETRY)} if policy.retries is None else _retries(policy.retries)
    return timeout | retries


def _retries(retries: Retries) -> dict[str, Any]:
    if not retries.attempts:
        return {}
    again: dict[str, Any] = {"retry_on": _AGAIN, "num_retries": retries.attempts}
    if retries.per_try_timeout is not None:
        again["per_try_timeout"] = seconds(retries.per_try_timeout)
    return {"retry_policy": again}
