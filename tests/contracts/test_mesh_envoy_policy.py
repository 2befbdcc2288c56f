"""Limits on the candidate where only this mesh can have them, and the three files that they are written to."""

import json
from collections import Counter

import pytest

from delivery.adapters.mesh.envoy.files import CLUSTERS, TOKENS, providers_of
from delivery.model.ids import Micros
from delivery.model.policy import Balance, CircuitBreaker, Fault, Jwt, Retries, TrafficPolicy
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Rule, Sticky, Traffic
from delivery.model.version import Endpoint
from delivery.ports.errors import Refused
from delivery.sandbox.envoy import LocalEnvoy
from delivery.testing.contracts import tokens
from delivery.testing.contracts.mesh_policy import LONG_MS, TESTED, matched
from delivery.testing.contracts.mesh_traffic import CANDIDATE, STABLE, assert_share
from delivery.testing.contracts.mesh_values import Case, make_case, publish
from tests.contracts.envoy_world import EnvoyWorld

QUICK = Micros(100_000)


@pytest.fixture
def world(tmp_path):
    world = EnvoyWorld(tmp_path)
    yield world
    world.close()


def counted(case: Case, count: int) -> Counter[tuple[int, str | None]]:
    return Counter((reply.status, reply.version) for reply in case.send(count))


@pytest.mark.parametrize("sticky", [None, Sticky("rel"), Sticky("rel", (10,))])
def test_on_a_split_a_timeout_is_the_candidates_alone(world, sticky):
    case = make_case(world)
    case.shift(Traffic(weight=50, sticky=sticky, policy=TrafficPolicy(timeout=QUICK)))
    for backend in (case.stable, case.candidate):
        world.slow(backend, LONG_MS)
    found = counted(case, 60)
    assert found.keys() == {(200, STABLE), (504, None)}
    assert 10 < found[504, None] < 50
    assert world.mesh.read(case.target).weight == 50


def test_on_a_split_retries_are_the_candidates_alone(world):
    case = make_case(world)
    case.shift(Traffic(weight=50, policy=TrafficPolicy(retries=Retries(2))))
    for backend in (case.stable, case.candidate):
        world.fail(backend, 503)
    found = counted(case, 60)
    assert len(world.asked(case.candidate).users) == 3 * found[503, CANDIDATE]
    assert len(world.asked(case.stable).users) == found[503, STABLE]


def test_a_try_has_its_time(world):
    case = make_case(world)
    retries = Retries(1, per_try_timeout=QUICK)
    case.shift(Traffic(weight=50, policy=TrafficPolicy(timeout=Micros(3 * LONG_MS * 1000), retries=retries)))
    world.slow(case.candidate, LONG_MS)
    replies = case.send(40)
    late = [reply.seconds for reply in replies if reply.status == 504]
    assert late
    assert min(late) >= 0.2
    assert max(late) < LONG_MS / 1000
    assert len(world.asked(case.candidate).users) == 2 * len(late)


def test_a_split_with_limits_of_its_own_is_as_exact_as_any(world):
    case = make_case(world)
    case.shift(Traffic(weight=5, policy=TrafficPolicy(timeout=Micros(5_000_000))))
    assert_share(0.05, lambda size: counted(case, size)[200, CANDIDATE], 2000)


def test_least_request_spares_the_slow_endpoint(world):
    case = make_case(world)
    world.slow(case.candidate, LONG_MS)
    (slow,) = world.endpoints(case.candidate)
    fast = world.run("other", "1.0.0")
    both = (slow, *world.endpoints(fast))
    world.until(lambda: world.mesh.publish(case.target, case.candidate, both))
    case.shift(Traffic(rules=(Rule("beta", TESTED),), policy=TrafficPolicy(load_balancing=Balance.LEAST_REQUEST)))
    case.send(200, matched(case, ""))
    assert len(world.asked(case.candidate).users) < 85, "taking turns would be 100 and 100"


def test_where_a_version_runs_is_told_again_without_touching_its_policy(world):
    case = make_case(world)
    case.shift(Traffic(weight=50, policy=TrafficPolicy(circuit_breaker=CircuitBreaker(max_requests=7))))
    before = world.files.path(CLUSTERS).read_text()
    publish(world, case.target, case.candidate)
    assert world.files.path(CLUSTERS).read_text() == before
    moved = (*world.endpoints(case.candidate), Endpoint("127.0.0.1", 9))
    world.until(lambda: world.mesh.publish(case.target, case.candidate, moved))
    assert '"max_requests":7' in world.files.path(CLUSTERS).read_text()
    case.shift(ALL_CANDIDATE)
    assert '"max_requests":7' not in world.files.path(CLUSTERS).read_text()


def test_without_a_policy_clusters_are_as_they_were_published(world):
    case = make_case(world)
    before = world.files.path(CLUSTERS).read_text()
    for traffic in (Traffic(weight=50), Traffic(rules=(Rule("f", TESTED, fault=Fault(abort=503)),)), ALL_STABLE):
        case.shift(traffic)
    assert world.files.path(CLUSTERS).read_text() == before


def test_a_policy_is_proven_by_the_cluster_that_proxies_run(world):
    case = make_case(world)
    case.shift(Traffic(weight=50, policy=TrafficPolicy(circuit_breaker=CircuitBreaker(max_requests=7))))
    document = json.loads(world.files.path(CLUSTERS).read_text())
    for cluster in document["resources"]:
        cluster.pop("metadata", None)
    world.put(json.dumps({**document, "version_info": "edited"}), CLUSTERS)
    world.until(lambda: not case.proven())


def test_tokens_that_nobody_asks_for_go_when_another_comes(world):
    case = make_case(world)
    wanted = [Jwt(f"https://id{number}.example.org", tokens.JWT.jwks) for number in range(3)]
    for jwt in wanted:
        case.shift(Traffic(rules=(Rule("preview", TESTED, jwt=jwt),)))
    known = providers_of(world.files.load(TOKENS).document)
    assert [each["issuer"] for each in known.values()] == ["https://id1.example.org", "https://id2.example.org"]


@pytest.mark.parametrize(
    ("traffic", "lacking"),
    [
        (Traffic(rules=(Rule("preview", TESTED, jwt=tokens.JWT),)), "delivery.jwt"),
        (Traffic(rules=(Rule("fault", TESTED, fault=Fault(abort=503)),)), "envoy.filters.http.fault"),
    ],
)
def test_a_proxy_without_the_filter_is_found_before_the_route_relies_on_it(world, monkeypatch, traffic, lacking):
    """Started by an older configuration it would answer previews without asking for a token."""
    monkeypatch.setattr("delivery.sandbox.bootstrap.chain", lambda _: [_ROUTER])
    older = LocalEnvoy(world.files.directory.parent / "older", world.files)
    older.start()
    try:
        case = make_case(world)
        case.shift(ALL_STABLE)
        world.mesh._proxies = (*world.mesh._proxies, older.admin)
        with pytest.raises(Refused, match=f"has no filter {lacking}, which this traffic needs: start it with"):
            case.write(traffic)
        case.shift(Traffic(weight=10))
    finally:
        older.kill()
        older.close()


_ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
}
