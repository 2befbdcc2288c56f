"""The published rights are enough for everything that the mesh adapter does; and what it costs the API server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import path
from delivery.adapters.mesh.istio import guards
from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.adapters.mesh.istio.proxies import Pods
from delivery.model.ids import MINUTE
from delivery.model.place import Isolation, object_name
from delivery.model.policy import CircuitBreaker, RateLimit, TrafficPolicy
from delivery.model.traffic import ALL_STABLE, Rule, Traffic
from delivery.ports.errors import Refused, Unavailable
from delivery.testing.contracts import tokens
from delivery.testing.contracts.mesh_policy import TESTED
from delivery.testing.contracts.mesh_traffic import CANDIDATE, STABLE
from delivery.testing.contracts.mesh_values import Case, make_case, publish
from tests.cluster import istio_world, objects
from tests.cluster.istio_world import IstioWorld
from tests.cluster.test_mesh_sidecar_policy import SidecarWorld, beside
from tests.cluster.testbed.accounts import token, write_kubeconfig
from tests.cluster.testbed.cluster import Cluster

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "istio.md"


@pytest.fixture
def world(cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[IstioWorld]:
    yield from istio_world.running(cluster, namespace, istiods)


@pytest.fixture
def subsets(cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[IstioWorld]:
    yield from istio_world.running(cluster, namespace, istiods, Isolation.SUBSET)


@pytest.fixture
def limited(cluster: Cluster, namespace: str, tmp_path: Path) -> Path:
    """A kubeconfig of an account that has what the documentation grants, and no more."""
    admin = Kube(str(cluster.kubeconfig))
    text = DOCUMENT.read_text().split("```yaml\n# rights", 1)[1].split("```", 1)[0]
    for body in yaml.safe_load_all(text.partition("\n")[2].replace("namespace: shop", f"namespace: {namespace}")):
        if body["kind"].startswith("Cluster"):
            body["metadata"]["name"] += f"-{namespace}"
            if "roleRef" in body:
                body["roleRef"]["name"] += f"-{namespace}"
        admin.create(body)
    admin.close()
    secret = token(cluster.api, namespace, "delivery")
    plane = cluster.control_plane
    return write_kubeconfig(tmp_path / "kubeconfig", plane.url, cluster.certificates.authority, secret)


@pytest.mark.parametrize("kind", ["world", "subsets"])
def test_the_rights_are_enough_for_a_release_and_its_way_back(
    kind: str, limited: Path, request: pytest.FixtureRequest
) -> None:
    world: IstioWorld = request.getfixturevalue(kind)
    world.mesh = world.connect(kubeconfig=limited)
    case = make_case(world)
    for traffic in (Traffic(weight=50), ALL_STABLE):
        case.shift(traffic)
        assert case.target in world.mesh.observe()
    world.mesh.withdraw(case.target, case.candidate)
    assert case.versions() == {"1.4.1"}


def test_they_are_no_more(limited: Path, namespace: str) -> None:
    kube = Kube(str(limited))
    try:
        for where in (
            path("v1", "Secret", namespace),
            path("v1", "ConfigMap", namespace),
            path("v1", "Service", "kube-system", "kube-dns"),
        ):
            with pytest.raises(Refused, match="forbidden"):
                kube.get(where)
        with pytest.raises(Refused, match="forbidden"):
            kube.create(objects.virtual_service(namespace, "other", "other.example.com", {"v1": 1}))
    finally:
        kube.close()


def test_a_right_that_is_missing_is_told_in_the_api_servers_words(
    cluster: Cluster, world: IstioWorld, limited: Path
) -> None:
    case = world.declare()
    world.mesh = world.connect(kubeconfig=limited)
    case.write(ALL_STABLE)
    cluster.api.delete(path("rbac.authorization.k8s.io/v1", "RoleBinding", world.namespace, "delivery-mesh"))

    def told() -> bool:
        try:
            case.write(Traffic(weight=10))
        except Refused as error:
            return "forbidden" in str(error)
        return False

    world.until(told)


def test_without_the_right_to_watch_it_is_said_why_nothing_is_observed(
    cluster: Cluster, world: IstioWorld, limited: Path
) -> None:
    name = f"delivery-mesh-{world.namespace}"
    cluster.api.delete(path("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", name=name))

    def told() -> bool:
        mesh = world.connect(kubeconfig=limited)
        try:
            mesh.observe()
        except Unavailable as error:
            return "virtualservices" in str(error) and "forbidden" in str(error)
        return False

    world.until(told)


def test_a_change_costs_few_requests_and_its_proof_one(cluster: Cluster, world: IstioWorld) -> None:
    case = make_case(world)
    with cluster.faults() as (proxy, kubeconfig):
        world.mesh = world.connect(kubeconfig=kubeconfig)
        case.write(ALL_STABLE)
        costs = []
        for traffic in (Traffic(weight=10), Traffic(weight=50), Traffic(weight=100), ALL_STABLE):
            before = proxy.script.mark()
            case.write(traffic)
            written = proxy.script.mark()
            world.until(case.proven)
            assert dict(proxy.script.counts(written)) == {("GET", "virtualservices"): 1}
            costs.append(dict(proxy.script.counts(before)))
        change = {("GET", "virtualservices"): 2, ("PUT", "virtualservices"): 1}
        entering = {**change, ("GET", "services"): 1}
        assert costs == [entering, change, change, entering]


def test_pods_are_found_while_they_are_ready(cluster: Cluster, world: IstioWorld) -> None:
    backend = world.run("checkout", "1.4.1")
    kube = Kube(str(cluster.kubeconfig))
    name = object_name(backend)
    try:
        (found,) = Pods(kube, world.namespace, f"app={name}", objects.PORT).find().items()
        assert found[0].startswith(name)
        assert found[0].endswith(f".{world.namespace}")
        assert found[1].endswith(f":{objects.PORT}")
        world.end(backend)
        world.until(lambda: not Pods(kube, world.namespace, f"app={name}", objects.PORT).find())
    finally:
        kube.close()


def test_the_rights_are_enough_for_limits_of_the_candidate(
    cluster: Cluster, namespace: str, istiods: Istiods, limited: Path
) -> None:
    world = SidecarWorld(cluster, namespace, istiods)
    try:
        world.mesh = world.connect(kubeconfig=limited)
        case = Case(world, "checkout", world.run("checkout", STABLE), world.run_with_sidecar("checkout", CANDIDATE))
        for backend in (case.stable, case.candidate):
            publish(world, case.target, backend)
        breaker, limit = CircuitBreaker(max_requests=10), RateLimit(1000, MINUTE)
        case.shift(
            Traffic(
                weight=50,
                rules=(Rule("preview", TESTED, jwt=tokens.JWT),),
                policy=TrafficPolicy(circuit_breaker=breaker, rate_limit=limit),
            )
        )
        assert beside(world) == list(guards.VERSIONS)
        case.shift(Traffic(weight=50, policy=TrafficPolicy(circuit_breaker=CircuitBreaker(max_requests=20))))
        case.shift(ALL_STABLE)
        assert beside(world) == [guards.HOST]
        world.mesh.withdraw(case.target, case.candidate)
        assert beside(world) == []
    finally:
        world.close()
