"""The mesh on a real API server, istiod and Envoy against the contract."""

from collections.abc import Iterator

import pytest

from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.model.place import Isolation
from delivery.testing.contracts.mesh import MeshContract, PauseContract
from delivery.testing.contracts.mesh_traffic import TrafficContract
from tests.cluster import istio_world
from tests.cluster.istio_world import IstioWorld
from tests.cluster.testbed.cluster import Cluster


@pytest.fixture
def world(cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[IstioWorld]:
    yield from istio_world.running(cluster, namespace, istiods)


class TestMesh(MeshContract):
    pass


class TestPause(PauseContract):
    pass


class TestTraffic(TrafficContract):
    pass


class TestSubsets:
    """What is different where versions are subsets of one Service."""

    @pytest.fixture
    def world(self, cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[IstioWorld]:
        yield from istio_world.running(cluster, namespace, istiods, Isolation.SUBSET)

    test_only_what_is_published = MeshContract.test_a_route_may_name_only_what_is_published
    test_backends_are_kept = MeshContract.test_a_backend_that_a_route_names_is_kept
    test_publishing_again = MeshContract.test_publishing_again_is_harmless
    test_exact = TrafficContract.test_nothing_and_everything_are_exact
    test_copies = TrafficContract.test_copies_reach_the_candidate_and_no_client
    test_copies_of_some_methods = TrafficContract.test_a_mirror_of_some_methods_copies_only_those
    test_a_copy_is_kept = MeshContract.test_a_copy_is_kept_while_a_route_names_it_and_stable_stays_when_it_goes
    test_a_share_for_a_copy = TrafficContract.test_a_copy_of_stable_has_the_share_that_it_says
    test_switches = TrafficContract.test_no_request_fails_by_a_switch
