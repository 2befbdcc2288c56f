"""Limits on the candidate at a real gateway that a real istiod configures, requests counted at gateway and pods."""

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from delivery.adapters.kube.objects import ISTIO, path
from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.model.ids import HOUR, MINUTE, Micros
from delivery.model.place import Isolation, object_name
from delivery.model.policy import Balance, CircuitBreaker, Fault, RateLimit, Retries, TrafficPolicy
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Rule, Sticky, Traffic
from delivery.model.version import Backend
from delivery.ports.errors import Refused
from delivery.testing.contracts import tokens
from delivery.testing.contracts.mesh_policy import TESTED, LimitContract, RuleContract, matched
from delivery.testing.contracts.mesh_traffic import CANDIDATE, STABLE
from delivery.testing.contracts.mesh_values import Case, make_case, publish
from tests.cluster import wire
from tests.cluster.istio_world import IstioWorld
from tests.cluster.testbed.cluster import Cluster

BREAKER = TrafficPolicy(circuit_breaker=CircuitBreaker(consecutive_5xx=5, ejection=MINUTE))
QUICK = TrafficPolicy(timeout=Micros(100_000), retries=Retries(1, Micros(80_000)))


class BehavingWorld(IstioWorld):
    """Versions that behave as they are told, by pods that begin anew."""

    def slow(self, backend: Backend, milliseconds: int) -> None:
        self._behave(backend, f"latency-ms={milliseconds}")

    def fail(self, backend: Backend, status: int) -> None:
        self._behave(backend, f"fail-every=1,fail-status={status}")

    def _behave(self, backend: Backend, faults: str) -> None:
        at = path("apps/v1", "Deployment", self.namespace, self._deployment(backend))
        deployment = self.testbed.api.get(at)
        deployment["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "FAULTS", "value": faults})
        before = {pod["metadata"]["name"] for pod in self._pods(backend)}
        self.testbed.api.replace(deployment)

        def again() -> bool:
            pods = self._pods(backend)
            return bool(pods) and all(wire.is_ready(pod) and pod["metadata"]["name"] not in before for pod in pods)

        self.until(again)
        (pod,) = self._pods(backend)
        publish(self, Case(self, backend.service, backend, backend).target, backend)
        # The new pod alone: what is sent to the old one, which is gone, would be a 503 of another kind.
        self.until(lambda: self._reached(backend) == {pod["status"]["podIP"]})

    def _reached(self, backend: Backend) -> set[str]:
        """The addresses by which the gateway reaches it."""
        service = self.isolation is Isolation.SERVICE
        host = f"{object_name(backend) if service else backend.service}.{self.namespace}.svc.cluster.local"
        name = f"outbound|80|{'' if service else object_name(backend)}|{host}"
        clusters = self.testbed.gateway.get("/clusters?format=json")["cluster_statuses"]
        hosts = [one for each in clusters if each["name"].rstrip(";") == name for one in each.get("host_statuses", ())]
        return {one["address"]["socket_address"]["address"] for one in hosts}


@pytest.fixture
def world(cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[BehavingWorld]:
    yield from _running(cluster, namespace, istiods, Isolation.SERVICE)


def _running(cluster: Cluster, namespace: str, istiods: Istiods, isolation: Isolation) -> Iterator[BehavingWorld]:
    world = BehavingWorld(cluster, namespace, istiods, isolation)
    try:
        yield world
    finally:
        world.close()


class TestContract:
    """What is the same on every mesh."""

    test_faults = RuleContract.test_faults_meet_only_the_requests_that_they_are_for
    test_shares = RuleContract.test_a_fault_has_its_share
    test_limits = RuleContract.test_limits_change_nothing_of_who_answers
    test_a_timeout = LimitContract.test_a_timeout_ends_the_candidates_requests
    test_retries = LimitContract.test_retries_are_counted_at_the_backend
    test_no_retries = LimitContract.test_no_retries_are_none
    test_a_breaker = LimitContract.test_a_breaker_opens_for_the_candidate_alone
    test_a_bound = LimitContract.test_a_breaker_bounds_what_the_candidate_gets_at_once
    test_promotion = LimitContract.test_a_policy_ends_with_the_promotion


class TestSubsets:
    @pytest.fixture
    def world(self, cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[BehavingWorld]:
        yield from _running(cluster, namespace, istiods, Isolation.SUBSET)

    test_a_breaker = LimitContract.test_a_breaker_opens_for_the_candidate_alone

    def test_a_subsets_policy_stays_while_it_is_published_and_goes_with_the_promotion(self, world: IstioWorld) -> None:
        case = make_case(world)
        case.shift(Traffic(weight=50, policy=BREAKER))
        publish(world, case.target, case.candidate)
        assert [name for name, limited in _subsets(world).items() if limited] == [object_name(case.candidate)]
        case.shift(ALL_CANDIDATE)
        assert not any(_subsets(world).values())


@pytest.mark.parametrize("sticky", [None, Sticky("rel"), Sticky("rel", (10,))])
def test_on_a_split_timeout_and_retries_are_for_both_versions_alike(
    world: BehavingWorld, sticky: Sticky | None
) -> None:
    case = make_case(world)
    case.shift(Traffic(weight=50, sticky=sticky, policy=QUICK))
    for backend in (case.stable, case.candidate):
        world.slow(backend, 400)
    replies = case.send(30)
    assert Counter((reply.status, reply.version) for reply in replies) == {(504, None): 30}
    case.shift(ALL_STABLE)
    assert {(reply.status, reply.version) for reply in case.send(10)} == {(200, STABLE)}


def test_the_owners_route_keeps_its_own_timeout_and_retries(world: IstioWorld) -> None:
    case = make_case(world)
    theirs = {"timeout": "7s", "retries": {"attempts": 5}}
    world.change_unseen(case.service, lambda document: document["spec"]["http"][0].update(theirs))
    for traffic in (Traffic(weight=50), ALL_CANDIDATE, ALL_STABLE):
        case.shift(Traffic(traffic.weight, policy=QUICK))
        *ours, owners = world.stored(case.service)["spec"]["http"]
        assert (owners["timeout"], owners["retries"]) == ("7s", {"attempts": 5})
        limited = [route for route in ours if route["name"].endswith(".limits")]
        assert [route["timeout"] for route in limited] == (["0.1s"] if traffic.weight else [])
    assert {reply.version for reply in case.send(10)} == {STABLE}


def test_what_stands_beside_the_routes_goes_when_it_is_not_needed_any_more(world: IstioWorld) -> None:
    case = make_case(world)
    case.shift(Traffic(weight=10, policy=BREAKER))
    assert _rules(world) == [object_name(case.candidate)]
    case.shift(ALL_STABLE)
    assert _rules(world) == [object_name(case.candidate)], "a revert waits for nothing"
    case.shift(Traffic(weight=10))
    assert _rules(world) == []
    case.shift(Traffic(weight=20, policy=TrafficPolicy(load_balancing=Balance.RANDOM)))
    case.shift(ALL_STABLE)
    world.mesh.withdraw(case.target, case.candidate)
    assert _rules(world) == []


def test_a_rule_of_somebody_elses_is_in_the_way_and_is_left_alone(world: IstioWorld) -> None:
    case = make_case(world)
    case.shift(ALL_STABLE)
    theirs = {
        "apiVersion": ISTIO,
        "kind": "DestinationRule",
        "metadata": {"name": object_name(case.candidate), "namespace": world.namespace},
        "spec": {"host": "somewhere.example.com"},
    }
    world.testbed.api.create(copy.deepcopy(theirs))
    with pytest.raises(Refused, match="is in the way: it was not made for"):
        case.write(Traffic(weight=10, policy=BREAKER))
    assert case.versions(10) == {STABLE}
    world.mesh.withdraw(case.target, case.candidate)
    found = world.testbed.api.get(path(ISTIO, "DestinationRule", world.namespace, object_name(case.candidate)))
    assert found["spec"] == theirs["spec"]


AT_SIDECARS = [
    Traffic(weight=50, policy=TrafficPolicy(rate_limit=RateLimit(10, HOUR))),
    Traffic(rules=(Rule("preview", TESTED, jwt=tokens.JWT),)),
]


@pytest.mark.parametrize("traffic", AT_SIDECARS)
def test_what_only_a_sidecar_can_do_is_refused_without_one(world: IstioWorld, traffic: Traffic) -> None:
    case = make_case(world)
    case.shift(ALL_STABLE)
    with pytest.raises(Refused, match=r"candidate's sidecars, and pod .* has no Istio sidecar: inject one"):
        case.write(traffic)
    assert case.versions(10, matched(case, "")) == {STABLE}


def test_a_breaker_that_is_open_keeps_nobody_from_stable(world: BehavingWorld) -> None:
    case = make_case(world)
    case.shift(Traffic(weight=50, policy=BREAKER))
    world.fail(case.candidate, 500)
    world.until(lambda: 503 in {reply.status for reply in case.send(20)})
    case.shift(ALL_STABLE)
    assert Counter((reply.status, reply.version) for reply in case.send(40)) == {(200, STABLE): 40}


def test_faults_leave_the_candidate_to_others(world: IstioWorld) -> None:
    case = make_case(world)
    case.shift(Traffic(weight=50, rules=(Rule("fault_test", TESTED, fault=Fault(abort=500)),)))
    assert {reply.status for reply in case.send(10, matched(case, ""))} == {500}
    assert {reply.version for reply in case.send(60)} == {STABLE, CANDIDATE}


def _rules(world: IstioWorld) -> list[str]:
    listed = world.testbed.api.get(path(ISTIO, "DestinationRule", world.namespace))["items"]
    return [each["metadata"]["name"] for each in listed]


def _subsets(world: IstioWorld) -> dict[str, Any]:
    rule = world.testbed.api.get(path(ISTIO, "DestinationRule", world.namespace, "delivery-checkout"))
    return {each["name"]: each.get("trafficPolicy") for each in rule["spec"]["subsets"]}
