"""The HTTP filters that a listener needs besides the router, and what a route asks of each. Pure.

A filter that a listener lacks is passed over in silence, which would leave a preview open to all: before a route relies
on one, the adapter looks whether every proxy has it.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from delivery.adapters.mesh.envoy.clusters import TYPE
from delivery.model.ids import Micros
from delivery.model.policy import Fault, Jwt, RateLimit

JWT: Final = "delivery.jwt"
"""Not the library's name: its configuration has a name of its own, under which it is discovered."""
JWT_TYPE: Final = TYPE + "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
_PER_ROUTE = TYPE + "envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig"
_FAULT = "envoy.filters.http.fault"
_FAULT_TYPE = TYPE + "envoy.extensions.filters.http.fault.v3.HTTPFault"
_LIMIT = "envoy.filters.http.local_ratelimit"
_LIMIT_TYPE = TYPE + "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
_ROUTER = "envoy.filters.http.router"
_ROUTER_TYPE = TYPE + "envoy.extensions.filters.http.router.v3.Router"
_ALL = {"default_value": {"numerator": 100}}
_BOUNDLESS = {"max_tokens": 2**32 - 1, "tokens_per_fill": 2**32 - 1, "fill_interval": "1s"}
Options = dict[str, dict[str, Any]]
"""`typed_per_filter_config` of a route or a virtual host."""


def chain(tokens: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The filters of a listener in their order. `tokens` is where the first one has its configuration from."""
    return [
        {"name": JWT, **tokens},
        {"name": _FAULT, "typed_config": {"@type": _FAULT_TYPE}},
        {"name": _LIMIT, "typed_config": {"@type": _LIMIT_TYPE, "stat_prefix": "unlimited"}},
        {"name": _ROUTER, "typed_config": {"@type": _ROUTER_TYPE}},
    ]


def authentication(providers: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of the tokens' filter: it asks for none until a route names one of these."""
    named = {name: {"provider_name": name} for name in providers}
    return {"@type": JWT_TYPE, "providers": dict(providers), "requirement_map": named}


def provider(jwt: Jwt) -> tuple[str, dict[str, Any]]:
    """A token's name, which is made of all that is asked of it, and how it is proven."""
    told = "\n".join((jwt.issuer, jwt.jwks, *jwt.audiences))
    proven: dict[str, Any] = {"issuer": jwt.issuer, "local_jwks": {"inline_string": jwt.jwks}, "forward": True}
    if jwt.audiences:
        proven["audiences"] = list(jwt.audiences)
    return sha256(told.encode()).hexdigest()[:16], proven


def bearer(jwt: Jwt) -> Options:
    """For a route: without this token there is no answer but 401."""
    return {JWT: {"@type": _PER_ROUTE, "requirement_name": provider(jwt)[0]}}


def fault(fault: Fault) -> Options:
    """For a route: what is done to its requests."""
    options: dict[str, Any] = {"@type": _FAULT_TYPE}
    if fault.delay is not None:
        options["delay"] = {"fixed_delay": seconds(fault.delay), "percentage": {"numerator": fault.delay_percent}}
    if fault.abort is not None:
        options["abort"] = {"http_status": fault.abort, "percentage": {"numerator": fault.abort_percent}}
    return {_FAULT: options}


def rate_limit(limit: RateLimit, cluster: str) -> Options:
    """For a virtual host: one bucket for all of its requests that go to this cluster, by whichever route."""
    tokens = {"max_tokens": limit.requests, "tokens_per_fill": limit.requests, "fill_interval": seconds(limit.per)}
    options = {
        "@type": _LIMIT_TYPE,
        "stat_prefix": f"limit_{cluster}",
        "filter_enabled": _ALL,
        "filter_enforced": _ALL,
        "token_bucket": _BOUNDLESS,
        "always_consume_default_token_bucket": False,
        "rate_limits": [{"actions": [{"destination_cluster": {}}]}],
        "descriptors": [{"entries": [{"key": "destination_cluster", "value": cluster}], "token_bucket": tokens}],
    }
    return {_LIMIT: options}


def needed(node: Any) -> set[str]:
    """The filters that a section relies on, at whatever depth."""
    return {name for options in _found(node, "typed_per_filter_config") for name in options}


def required(node: Any) -> set[str]:
    """The names of the tokens that a section asks for."""
    return {str(name) for name in _found(node, "requirement_name")}


def seconds(span: Micros) -> str:
    """A span as protobuf's JSON has it."""
    return f"{span / 1_000_000:.6f}".rstrip("0").rstrip(".") + "s"


def _found(node: Any, key: str) -> list[Any]:
    if isinstance(node, list):
        return [found for item in node for found in _found(item, key)]
    if not isinstance(node, dict):
        return []
    return ([node[key]] if key in node else []) + [found for item in node.values() for found in _found(item, key)]
