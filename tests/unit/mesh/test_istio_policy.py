"""Traffic policies, faults and tokens as Istio's objects; that Istio takes them is for tests/cluster to prove."""

from dataclasses import replace

import pytest

from delivery.adapters.mesh.istio import guards, matches, policy
from delivery.model.ids import MINUTE, SECOND, Micros, target_id
from delivery.model.place import Isolation, Place, object_name
from delivery.model.policy import Balance, CircuitBreaker, Fault, Jwt, RateLimit, Retries, TrafficPolicy
from delivery.model.traffic import ALL_STABLE, CookieMatch, HeaderMatch, Match, MatchKind, Rule, Traffic
from delivery.model.version import Backend, VersionRef
from delivery.ports.errors import Refused
from delivery.ports.mesh import Route

STABLE, CANDIDATE = (Backend("checkout", VersionRef(label, label)) for label in ("1.4.1", "1.4.2"))
PLACE = Place("shop", "checkout", "checkout")
JWT = Jwt("https://id.example.org", '{"keys":[]}', ("checkout",))
HEADERS = (HeaderMatch("x-team", MatchKind.EXACT, "blue"), HeaderMatch("x-who", MatchKind.PREFIX, "qa-"))
PREVIEW = Rule("preview", (Match(headers=HEADERS),), jwt=JWT)


def route(traffic: Traffic) -> Route:
    return Route(target_id("checkout", "prod"), "checkout", STABLE, CANDIDATE, traffic)


def test_timeout_and_retries_are_fields_of_a_route() -> None:
    wanted = TrafficPolicy(timeout=Micros(2_500_000), retries=Retries(2, Micros(500_000)))
    again = {"attempts": 2, "retryOn": "connect-failure,refused-stream,gateway-error", "perTryTimeout": "0.5s"}
    assert policy.of_route(wanted) == {"timeout": "2.5s", "retries": again}
    assert policy.of_route(TrafficPolicy(retries=Retries(0))) == {"retries": {"attempts": 0}}
    assert policy.of_route(TrafficPolicy(load_balancing=Balance.RANDOM)) == policy.of_route(None) == {}


def test_breaker_and_balancing_are_a_destination_rules() -> None:
    wanted = TrafficPolicy(
        retries=Retries(1), circuit_breaker=CircuitBreaker(10, 5, MINUTE), load_balancing=Balance.LEAST_REQUEST
    )
    assert policy.of_host(wanted) == {
        "connectionPool": {
            "http": {"http1MaxPendingRequests": 10, "http2MaxRequests": 10, "maxRetries": 10},
            "tcp": {"maxConnections": 10},
        },
        "outlierDetection": {
            "consecutive5xxErrors": 5,
            "interval": "1s",
            "baseEjectionTime": "60s",
            "maxEjectionPercent": 100,
        },
        "loadBalancer": {"simple": "LEAST_REQUEST"},
    }
    assert policy.of_host(TrafficPolicy(timeout=SECOND, rate_limit=RateLimit(1, SECOND))) == policy.of_host(None) == {}


def test_a_fault_has_its_shares() -> None:
    assert policy.of_fault(Fault(Micros(300_000), 50, 503, 10)) == {
        "delay": {"fixedDelay": "0.3s", "percentage": {"value": 50}},
        "abort": {"httpStatus": 503, "percentage": {"value": 10}},
    }


def test_who_meets_the_preview_without_its_token_is_denied() -> None:
    denial = guards.document(guards.DENIAL, route(Traffic(rules=(PREVIEW,))), CANDIDATE, PLACE, {"app": "c"})
    met = [
        {"key": "request.headers[x-team]", "values": ["blue"]},
        {"key": "request.headers[x-who]", "values": ["qa-*"]},
    ]
    assert denial["spec"] == {
        "selector": {"matchLabels": {"app": "c"}},
        "action": "DENY",
        "rules": [
            {"when": [*met, {"key": "request.auth.claims[iss]", "notValues": ["https://id.example.org"]}]},
            {"when": [*met, {"key": "request.auth.claims[aud]", "notValues": ["checkout"]}]},
        ],
    }
    token = guards.document(guards.TOKEN, route(Traffic(rules=(PREVIEW,))), CANDIDATE, PLACE, {"app": "c"})
    rule = {"issuer": JWT.issuer, "jwks": JWT.jwks, "forwardOriginalToken": True, "audiences": ["checkout"]}
    assert token["spec"]["jwtRules"] == [rule]
    regex = replace(PREVIEW, matches=(Match(headers=(HeaderMatch("x-team", MatchKind.REGEX, "b.*"),)),))
    with pytest.raises(Refused, match="cannot be told by a regex of x-team on Istio"):
        policy.without_token(regex, JWT)


@pytest.mark.parametrize("kind", [MatchKind.EXACT, MatchKind.PREFIX])
@pytest.mark.parametrize("value", ["*", "*blue", "blue*"])
def test_a_star_that_istio_would_read_otherwise_leaves_no_preview_open(kind: MatchKind, value: str) -> None:
    """It takes `*blue*` for all that ends with `blue*`: whoever says `*blues` would need no token."""
    starred = replace(PREVIEW, matches=(Match(headers=(HeaderMatch("x-team", kind, value),)),))
    with pytest.raises(Refused, match="where a star stands for any text"):
        policy.without_token(starred, JWT)


def test_no_condition_on_cookies_is_lost_beside_another() -> None:
    match = Match((HeaderMatch("cookie", MatchKind.REGEX, ".*a=1.*"),), (CookieMatch("b", "2"),))
    with pytest.raises(Refused, match="use cookies alone"):
        matches.of_match(match)


@pytest.mark.parametrize(
    ("traffic", "kinds"),
    [
        (ALL_STABLE, set()),
        (Traffic(weight=5), set()),
        (Traffic(weight=5, policy=TrafficPolicy(timeout=SECOND)), set()),
        (Traffic(weight=5, policy=TrafficPolicy(load_balancing=Balance.RANDOM)), {guards.HOST}),
        (Traffic(weight=5, policy=TrafficPolicy(rate_limit=RateLimit(1, SECOND))), {guards.LIMIT}),
        (Traffic(rules=(PREVIEW,)), {guards.TOKEN, guards.DENIAL}),
        (Traffic(policy=TrafficPolicy(load_balancing=Balance.RANDOM)), set()),
    ],
)
def test_only_what_is_needed_stands_beside_the_routes(traffic: Traffic, kinds: set[str]) -> None:
    assert guards.kinds(route(traffic)) == kinds
    assert guards.told(route(traffic)) == {f"{kind}/{object_name(CANDIDATE)}" for kind in kinds}


def test_objects_are_named_after_the_version_and_say_whose_they_are() -> None:
    limited = route(Traffic(weight=5, policy=TrafficPolicy(rate_limit=RateLimit(7, MINUTE))))
    found = guards.document(guards.LIMIT, limited, CANDIDATE, PLACE, {"app": "c"})
    assert found["metadata"]["name"] == object_name(CANDIDATE)
    assert found["metadata"]["annotations"] == {"progressive-delivery/target": "checkout@prod"}
    assert found["spec"]["workloadSelector"] == {"labels": {"app": "c"}}
    (patch,) = found["spec"]["configPatches"]
    tokens = patch["patch"]["value"]["typed_config"]["value"]["token_bucket"]
    assert tokens == {"max_tokens": 7, "tokens_per_fill": 7, "fill_interval": "60s"}


def test_a_subsets_policy_changes_no_other_subset() -> None:
    names = object_name(STABLE), object_name(CANDIDATE)
    subsets = [{"name": name, "labels": {"version": name}} for name in names]
    rule = {"metadata": {}, "spec": {"host": "h", "subsets": subsets}}
    limited = guards.with_policy(rule, names[1], {"loadBalancer": {"simple": "RANDOM"}})
    assert limited["spec"]["subsets"][0] == subsets[0]
    assert limited["spec"]["subsets"][1] == {**subsets[1], "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}}
    assert guards.with_policy(limited, names[1], {}) == rule
    assert guards.subset_labels(rule, CANDIDATE) == {"version": names[1]}
    assert not guards.by_host(replace(PLACE, isolation=Isolation.SUBSET))
