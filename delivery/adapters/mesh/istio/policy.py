"""A traffic policy, faults and tokens in Istio's words. Pure.

Timeout and retries are fields of a route, and a split is one route: there they hold for both versions alike. All else
is the candidate's alone: a DestinationRule for its own host or subset, and what its own sidecars are told.
"""

from typing import Any

from delivery.model.ids import Micros
from delivery.model.policy import Balance, CircuitBreaker, Fault, Jwt, RateLimit, Retries, TrafficPolicy
from delivery.model.traffic import HeaderMatch, MatchKind, Rule
from delivery.ports.errors import Refused

AGAIN = "connect-failure,refused-stream,gateway-error"
_USUAL_MOST = 1024
_BALANCE = {Balance.ROUND_ROBIN: "ROUND_ROBIN", Balance.LEAST_REQUEST: "LEAST_REQUEST", Balance.RANDOM: "RANDOM"}
_LIMIT = "envoy.filters.http.local_ratelimit"
_LIMIT_TYPE = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
_ALL = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


def of_route(policy: TrafficPolicy | None) -> dict[str, Any]:
    """The fields of a route that a policy has something to say of."""
    found: dict[str, Any] = {}
    if policy is not None and policy.timeout is not None:
        found["timeout"] = seconds(policy.timeout)
    if policy is not None and policy.retries is not None:
        found["retries"] = _retries(policy.retries)
    return found


def of_fault(fault: Fault) -> dict[str, Any]:
    """The field `fault` of a route."""
    found: dict[str, Any] = {}
    if fault.delay is not None:
        found["delay"] = {"fixedDelay": seconds(fault.delay), "percentage": {"value": fault.delay_percent}}
    if fault.abort is not None:
        found["abort"] = {"httpStatus": fault.abort, "percentage": {"value": fault.abort_percent}}
    return found


def of_host(policy: TrafficPolicy | None) -> dict[str, Any]:
    """`trafficPolicy` of a DestinationRule or of one of its subsets; empty where nothing is limited."""
    found: dict[str, Any] = {}
    if policy is None:
        return found
    breaker = policy.circuit_breaker or CircuitBreaker()
    http: dict[str, int] = {}
    if (most := breaker.max_requests) is not None:
        http = {"http1MaxPendingRequests": most, "http2MaxRequests": most}
    if policy.retries is not None and policy.retries.attempts:
        http["maxRetries"] = most or _USUAL_MOST
    if http:
        found["connectionPool"] = {"http": http, **({"tcp": {"maxConnections": most}} if most else {})}
    if breaker.consecutive_5xx is not None:
        found["outlierDetection"] = {
            "consecutive5xxErrors": breaker.consecutive_5xx,
            "interval": "1s",
            "baseEjectionTime": seconds(breaker.ejection),
            "maxEjectionPercent": 100,
        }
    if policy.load_balancing is not None:
        found["loadBalancer"] = {"simple": _BALANCE[policy.load_balancing]}
    return found


def of_limit(limit: RateLimit) -> dict[str, Any]:
    """`configPatches` entry of an EnvoyFilter: the sidecar counts what comes in."""
    tokens = {"max_tokens": limit.requests, "tokens_per_fill": limit.requests, "fill_interval": seconds(limit.per)}
    value = {"stat_prefix": "delivery_limit", "token_bucket": tokens, "filter_enabled": _ALL, "filter_enforced": _ALL}
    manager = {"filterChain": {"filter": {"name": "envoy.filters.network.http_connection_manager"}}}
    typed = {"@type": "type.googleapis.com/udpa.type.v1.TypedStruct", "type_url": _LIMIT_TYPE, "value": value}
    return {
        "applyTo": "HTTP_FILTER",
        "match": {"context": "SIDECAR_INBOUND", "listener": manager},
        "patch": {"operation": "INSERT_BEFORE", "value": {"name": _LIMIT, "typed_config": typed}},
    }


def of_token(jwt: Jwt) -> dict[str, Any]:
    """`jwtRules` entry of a RequestAuthentication, which refuses wrong tokens and lets pass who has none."""
    found: dict[str, Any] = {"issuer": jwt.issuer, "jwks": jwt.jwks, "forwardOriginalToken": True}
    if jwt.audiences:
        found["audiences"] = list(jwt.audiences)
    return found


def without_token(rule: Rule, jwt: Jwt) -> list[dict[str, Any]]:
    """`rules` of an AuthorizationPolicy that denies: what meets the rule, and bears no such token.

    By the claims, not by the principal: that has the subject in it, which a token need not have. A claim that is not
    there is none of these values.
    """
    wanted = [("iss", [jwt.issuer]), *([("aud", list(jwt.audiences))] if jwt.audiences else [])]
    return [
        {"when": [*map(_condition, match.headers), {"key": f"request.auth.claims[{claim}]", "notValues": values}]}
        for match in rule.matches
        for claim, values in wanted
    ]


def seconds(span: Micros) -> str:
    """A span as protobuf's JSON has it."""
    return f"{span / 1_000_000:.6f}".rstrip("0").rstrip(".") + "s"


def _retries(retries: Retries) -> dict[str, Any]:
    if not retries.attempts:
        return {"attempts": 0}
    found: dict[str, Any] = {"attempts": retries.attempts, "retryOn": AGAIN}
    if retries.per_try_timeout is not None:
        found["perTryTimeout"] = seconds(retries.per_try_timeout)
    return found


def _condition(header: HeaderMatch) -> dict[str, Any]:
    if header.kind is MatchKind.REGEX:
        problem = f"a preview with a token cannot be told by a regex of {header.name} on Istio"
        raise Refused(f"{problem}: use exact or prefix below preview.headers")
    if header.value.startswith("*") or header.value.endswith("*"):
        problem = f"a preview with a token cannot be told by {header.value} of {header.name} on Istio"
        raise Refused(f"{problem}, where a star stands for any text: use a value without one at its ends")
    value = f"{header.value}*" if header.kind is MatchKind.PREFIX else header.value
    return {"key": f"request.headers[{header.name}]", "values": [value]}
