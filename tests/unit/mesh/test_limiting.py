"""What policies and tokens put into clusters and filters, without any proxy."""

import pytest

from delivery.adapters.mesh.envoy import clusters, filters, limiting
from delivery.model.ids import SECOND, Micros, target_id
from delivery.model.policy import Balance, CircuitBreaker, Jwt, RateLimit, Retries, TrafficPolicy
from delivery.model.traffic import ALL_STABLE, Rule, Traffic
from delivery.model.version import Backend, Endpoint, VersionRef
from delivery.ports.mesh import Route

STABLE, CANDIDATE = (Backend("checkout", VersionRef(label, label)) for label in ("1.4.1", "1.4.2"))
WHERE = (Endpoint("127.0.0.1", 9001),)
POLICY = TrafficPolicy(
    timeout=SECOND,
    retries=Retries(2),
    circuit_breaker=CircuitBreaker(10, 5, Micros(2_500_000)),
    rate_limit=RateLimit(1, SECOND),
    load_balancing=Balance.RANDOM,
)


def route(traffic: Traffic) -> Route:
    return Route(target_id("checkout", "local"), "checkout", STABLE, CANDIDATE, traffic)


def known(policy: TrafficPolicy | None = None) -> list[clusters.Cluster]:
    return [*clusters.lanes(STABLE, WHERE), *clusters.lanes(CANDIDATE, WHERE, policy)]


def test_a_policy_is_on_the_candidates_own_cluster_alone() -> None:
    before = known()
    after = limiting.clusters(route(Traffic(weight=5, policy=POLICY)))(before)
    changed = [cluster["name"] for cluster, old in zip(after, before, strict=True) if cluster != old]
    assert changed == [CANDIDATE.name]
    (cluster,) = (each for each in after if each["name"] == CANDIDATE.name)
    limits = {"max_connections": 10, "max_pending_requests": 10, "max_requests": 10, "max_retries": 10}
    assert cluster["circuit_breakers"] == {"thresholds": [limits]}
    assert cluster["outlier_detection"]["base_ejection_time"] == "2.5s"
    assert cluster["common_lb_config"] == {"healthy_panic_threshold": {"value": 0}}
    assert cluster["lb_policy"] == "RANDOM"
    assert limiting.clusters(route(Traffic(weight=5)))(after) == before, "and goes without a trace"


def test_a_cluster_tells_its_own_part_of_the_policy() -> None:
    (cluster, *_) = clusters.lanes(CANDIDATE, WHERE, POLICY)
    own = TrafficPolicy(retries=POLICY.retries, circuit_breaker=POLICY.circuit_breaker, load_balancing=Balance.RANDOM)
    assert clusters.policy_of(cluster) == own
    assert clusters.told(TrafficPolicy(timeout=SECOND, rate_limit=POLICY.rate_limit, retries=Retries(0))) == ""
    broken = {**cluster, "metadata": {"filter_metadata": {"delivery": {"policy": "{"}}}}
    assert clusters.policy_of(broken) is None


def test_a_candidate_that_no_user_can_reach_is_left_as_it_is() -> None:
    limited = known(POLICY)
    assert limiting.clusters(route(ALL_STABLE))(limited) == limited


def test_a_promoted_version_is_without_its_policy() -> None:
    promoted = Route(target_id("checkout", "local"), "checkout", CANDIDATE, STABLE, Traffic(weight=5))
    assert limiting.clusters(promoted)(known(POLICY)) == known()


@pytest.mark.parametrize(
    "other",
    [Jwt("b", "{}", ("x",)), Jwt("a", "{ }", ("x",)), Jwt("a", "{}"), Jwt("a", "{}", ("x", "y"))],
)
def test_a_token_is_named_by_all_that_is_asked_of_it(other: Jwt) -> None:
    jwt = Jwt("a", "{}", ("x",))
    assert filters.provider(jwt) == filters.provider(Jwt("a", "{}", ("x",)))
    assert filters.provider(other)[0] != filters.provider(jwt)[0]


def test_tokens_of_other_sections_stay() -> None:
    old, new, gone = (Jwt(issuer, "{}") for issuer in ("old", "new", "gone"))
    providers = dict(map(filters.provider, (old, gone)))
    section = {"routes": [{"typed_per_filter_config": filters.bearer(old)}]}
    asking = route(Traffic(rules=(Rule("preview", (), jwt=new),)))
    assert limiting.tokens(asking, [section], providers) == dict(map(filters.provider, (old, new)))
    known_already = route(Traffic(rules=(Rule("preview", (), jwt=old),)))
    assert limiting.tokens(known_already, [section], providers) == providers


@pytest.mark.parametrize(
    ("span", "text"), [(SECOND, "1s"), (1_500_000, "1.5s"), (50_000, "0.05s"), (60_000_000, "60s")]
)
def test_spans_are_written_as_protobuf_reads_them(span: int, text: str) -> None:
    assert filters.seconds(Micros(span)) == text
