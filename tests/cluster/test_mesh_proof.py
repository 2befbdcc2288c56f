"""How far a route is proven, by rights: gateways that answer, istiod that tells or not, and a proxy's own words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from delivery.adapters.kube.objects import path
from delivery.adapters.mesh.answer import Request
from delivery.adapters.mesh.istio import document, proof
from delivery.adapters.mesh.istio.istiod import Denied, Istiods
from delivery.adapters.mesh.istio.proxies import Fixed
from delivery.model.event import Level
from delivery.model.place import Mode, Place, RouteRef
from delivery.model.traffic import ALL_STABLE, HeaderMatch, Match, MatchKind, Rule, Traffic
from delivery.testing.contracts.mesh_values import RELEASE, Case
from tests.cluster import istio_world
from tests.cluster.istio_world import ISTIO, IstioWorld
from tests.cluster.testbed.accounts import token
from tests.cluster.testbed.cluster import GATEWAY, Cluster
from tests.cluster.testbed.istiod import DEBUG_NAMESPACE

AUDIENCE = "istio-ca"
BETA = Rule("beta", (Match(headers=(HeaderMatch("x-beta", MatchKind.EXACT, "on"),)),))


@pytest.fixture
def world(cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[IstioWorld]:
    yield from istio_world.running(cluster, namespace, istiods)


@pytest.fixture
def case(world: IstioWorld) -> Case:
    return world.declare()


def remote(cluster: Cluster, secret: Path | None) -> Istiods:
    """istiod by an address that is not loopback, for which it asks who we are."""
    return Istiods(Fixed((cluster.istiod.remote.removeprefix("http://"),)), secret)


def token_file(cluster: Cluster, folder: Path, namespace: str) -> Path:
    file = folder / "token"
    file.write_text(token(cluster.api, namespace, "engine", AUDIENCE))
    return file


def proven_by(world: IstioWorld, case: Case, mesh: Any) -> Level:
    """Writes by this mesh, and returns the level at which it is proven by it."""
    world.mesh, own = mesh, world.mesh
    try:
        case.write(Traffic(weight=10))
        world.until(case.proven)
        return mesh.confirm(case.target, RELEASE, case.seq).level
    finally:
        world.mesh = own


def test_a_gateway_that_cannot_be_asked_is_proven_by_what_it_acknowledged(world: IstioWorld, case: Case) -> None:
    assert proven_by(world, case, world.connect(probing=False)) is Level.ACKED
    world.freeze()
    case.write(ALL_STABLE)
    deaf = world.connect(probing=False)
    found = deaf.confirm(case.target, RELEASE, case.seq)
    assert (found.proven, found.proxies, len(found.missing)) == (False, 1, 1)
    assert found.missing[0].startswith("gw-1.")


def test_istiod_tells_those_who_may_know(cluster: Cluster, world: IstioWorld, case: Case, tmp_path: Path) -> None:
    istiods = remote(cluster, token_file(cluster, tmp_path, DEBUG_NAMESPACE))
    assert [proxy.kind for proxy in istiods.account().proxies] == ["router"]
    assert proven_by(world, case, world.connect(probing=False, istiods=istiods)) is Level.ACKED


def test_without_the_right_only_time_tells(
    cluster: Cluster, world: IstioWorld, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = remote(cluster, token_file(cluster, tmp_path, world.namespace))
    with pytest.raises(Denied, match="DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES"):
        stranger.account()
    with pytest.raises(Denied, match="token with the audience istio-ca"):
        remote(cluster, None).account()
    mesh = world.connect(probing=False, istiods=stranger)
    monkeypatch.setattr(proof, "DEBOUNCE", 2.0)
    monkeypatch.setattr(proof, "SLACK", 1.0)
    case.write(Traffic(weight=10))
    assert not mesh.confirm(case.target, RELEASE, case.seq).proven, "not before the longest delay of a push"
    assert proven_by(world, case, mesh) is Level.WRITTEN, "this address has no counters either"


def test_a_refusal_is_told_in_envoys_own_words_and_a_revert_lands(world: IstioWorld, case: Case) -> None:
    """An EnvoyFilter makes of our next route what istiod's webhook lets through and Envoy refuses."""
    name = f"delivery-{case.service}.rule.beta"
    broken = {"match": {"safe_regex": {"regex": "(unclosed"}}}
    patch = {
        "applyTo": "HTTP_ROUTE",
        "match": {"context": "GATEWAY", "routeConfiguration": {"vhost": {"route": {"name": name}}}},
        "patch": {"operation": "MERGE", "value": broken},
    }
    metadata = {"name": world.namespace, "namespace": "istio-system"}
    spec = {"workloadSelector": {"labels": {"istio": "ingressgateway"}}, "configPatches": [patch]}
    case.write(ALL_STABLE)
    world.until(case.proven)
    world.testbed.api.create(
        {"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": metadata, "spec": spec}
    )
    try:
        case.write(Traffic(weight=10, rules=(BETA,)))
        refused: list[str] = []

        def told() -> bool:
            confirmation = world.mesh.confirm(case.target, RELEASE, case.seq)
            assert not confirmation.proven
            refused.extend([confirmation.refused] if confirmation.refused else [])
            return bool(refused)

        world.until(told)
        assert refused[0] == "gw-1.istio-system: missing ): (unclosed"
        case.write(ALL_STABLE)
        world.until(case.proven)
    finally:
        world.testbed.api.delete(path("networking.istio.io/v1alpha3", "EnvoyFilter", "istio-system", world.namespace))


def test_a_delegate_is_proven_through_its_root(world: IstioWorld, case: Case) -> None:
    delegate = world.stored("checkout")
    world.testbed.api.delete(path(ISTIO, "VirtualService", world.namespace, "checkout"))
    delegate["spec"].pop("hosts")
    delegate["spec"].pop("gateways")
    delegate["spec"]["http"][0]["name"] = "all"
    metadata = {"name": "checkout", "namespace": world.namespace}
    world.testbed.api.create({**delegate, "metadata": metadata})
    root = world.virtual_service("root")
    to = {"name": "front", "match": [{"uri": {"prefix": "/shop"}}], "delegate": metadata}
    root["spec"]["http"] = [to]
    world.testbed.api.create(root)
    world.places["checkout"] = Place(
        world.namespace, "checkout", "checkout", Mode.VERSIONED, routes=(RouteRef("checkout"),), candidate="c-{version}"
    )
    live = case.write(Traffic(weight=30))
    assert live.weight == 30
    world.until(case.proven)
    assert world.mesh.confirm(case.target, RELEASE, case.seq).level is Level.PROBED
    assert sorted(world.testbed.gateway.weights("front-all").values()) == [30, 70]


def test_the_probe_answers_nobody_who_does_not_know_the_secret(world: IstioWorld, case: Case) -> None:
    case.shift(Traffic(weight=10))
    found = world.stored("checkout")
    secret = document.secret_of(found, "checkout")
    asked = Request("checkout", headers={document.PROBE_HEADER: secret or ""})
    assert [reply.status for reply in world.send([asked, Request("checkout")])] == [200, 503]
    assert GATEWAY in found["spec"]["gateways"]
    case.write(ALL_STABLE)
    assert document.secret_of(world.stored("checkout"), "checkout") == secret
