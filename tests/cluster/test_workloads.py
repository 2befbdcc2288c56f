"""Workloads on a real Kubernetes API against the contract, and what only Deployments can get wrong."""

from uuid import uuid4

import pytest

from delivery.adapters.kube.observed import Observed
from delivery.adapters.workloads.kubernetes.adapter import KubernetesWorkloads
from delivery.adapters.workloads.kubernetes.reader import LOOKED_AT
from delivery.testing.contracts.workloads import TARGET, HomeContract
from tests.cluster.shop import Shop


class World:
    """Two Deployments of which one cannot run, each in a namespace of its own: both are the same target's."""

    def __init__(self, cluster, namespace, other):
        self.shop, self.bad = Shop(cluster, namespace), Shop(cluster, other)
        self.shop.deploy()
        self.bad.deploy(annotations={"crash-after": "0", "last-words": "no such database"})
        self.workloads, self.other = self.worker(), self.worker()
        self.workload, self.broken = self.shop.workload, self.bad.workload

    def worker(self):
        observed = Observed(self.shop.kube, LOOKED_AT)
        return KubernetesWorkloads(self.shop.kube, (self.shop.namespace, self.bad.namespace), observed)

    def own(self, version):
        self.shop.set_image(version.image)
        self.shop.until(self.shop.has_rolled_out)

    def serve(self, version):
        self.own(version)
        return self.workloads.look(TARGET, self.workload, version, home=True).endpoints[0]

    def crash(self, version):
        self.shop.kill(version)

    def answers(self, endpoint):
        return self.shop.answers(endpoint)

    def until(self, condition):
        self.shop.until(condition)


@pytest.fixture
def other_namespace(cluster):
    name = f"test-{uuid4().hex[:8]}"
    cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    cluster.api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def world(cluster, namespace, other_namespace):
    world = World(cluster, namespace, other_namespace)
    yield world
    for worker in (world.workloads, world.other):
        worker.close()


class TestWorkloads(HomeContract):
    pass
