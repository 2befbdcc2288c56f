"""A release that ends at home where versions are subsets: the copy goes without a user noticing, and nothing stays."""

from collections.abc import Iterator

import pytest

from delivery.adapters.kube import marks
from delivery.adapters.kube.objects import ISTIO, path
from delivery.adapters.mesh.istio import lanes
from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.model.place import Isolation, Mode, Place, object_name
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Traffic
from delivery.model.version import Backend, Lane, VersionRef
from delivery.ports.mesh import Route
from delivery.testing.contracts.mesh_values import Case, publish
from tests.cluster import istio_world, objects, wire
from tests.cluster.istio_world import IstioWorld
from tests.cluster.testbed.cluster import Cluster

OLD, NEW = VersionRef.of("1.4.1"), VersionRef.of("1.4.2")
COPY = Backend("checkout", NEW)


@pytest.fixture
def world(cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[IstioWorld]:
    yield from istio_world.running(cluster, namespace, istiods, Isolation.SUBSET)


def deploy(world: IstioWorld, name: str, version: str, labels: dict[str, str]) -> None:
    """The owners' own, or our copy of it; all are behind the one Service."""
    made = objects.deployment(world.namespace, "checkout", version, annotations={"linger": "0"})
    made["metadata"]["name"] = name
    made["spec"]["selector"] = {"matchLabels": labels}
    made["spec"]["template"]["metadata"]["labels"] = {"app": "checkout", **labels}
    world.testbed.api.create(made)
    wanted = ",".join(f"{key}={value}" for key, value in labels.items())

    def ready() -> bool:
        pods = world.testbed.api.get(path("v1", "Pod", world.namespace), labelSelector=wanted)["items"]
        return [wire.is_ready(pod) for pod in pods] == [True]

    world.until(ready)


def undeploy(world: IstioWorld, name: str) -> None:
    at = path("apps/v1", "Deployment", world.namespace, name)
    world.testbed.api.delete(at, propagationPolicy="Foreground")
    world.until(lambda: name not in deployments(world))


def deployments(world: IstioWorld) -> set[str]:
    listed = world.testbed.api.get(path("apps/v1", "Deployment", world.namespace))["items"]
    return {one["metadata"]["name"] for one in listed}


def subsets(world: IstioWorld) -> set[str]:
    rule = world.testbed.api.get(path(ISTIO, "DestinationRule", world.namespace, lanes.rule_name("checkout")))
    return {one["name"] for one in rule["spec"]["subsets"]}


def test_the_copy_is_withdrawn_once_home_has_its_users(world: IstioWorld) -> None:
    world.places["checkout"] = Place(world.namespace, "checkout", "checkout", Mode.CLONE, Isolation.SUBSET)
    world.own("checkout")
    deploy(world, "checkout", "1.4.1", {"version": "1.4.1"})
    deploy(world, object_name(COPY), "1.4.2", {marks.BACKEND: object_name(COPY)})
    before, after = (Backend("checkout", version, home=True) for version in (OLD, NEW))
    case = Case(world, "checkout", before, COPY)
    for backend in (before, COPY):
        publish(world, case.target, backend)
    for traffic, answers in ((ALL_STABLE, {"1.4.1"}), (Traffic(weight=50), {"1.4.1", "1.4.2"})):
        case.shift(traffic)
        assert case.versions(60) == answers
    case.shift(ALL_CANDIDATE)
    with world.load("checkout") as load:
        load.wait(50)
        undeploy(world, "checkout")
        deploy(world, "checkout", "1.4.2", {"version": "1.4.2"})
        publish(world, case.target, after)
        case.seq += 1
        alone = Route(case.target, "checkout", after, None, ALL_STABLE, case.tag)
        world.mesh.write(alone, case.stamp(), world.mesh.read(case.target).revision)
        world.until(case.proven)
        world.mesh.withdraw(case.target, COPY)
        undeploy(world, object_name(COPY))
        world.mesh.withdraw(case.target, before)
        load.wait(200)
        assert load.failed == {}
    assert case.versions() == {"1.4.2"}
    assert subsets(world) == {object_name(after, lane) for lane in Lane}
