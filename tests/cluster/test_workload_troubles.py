"""What goes wrong with a candidate's pods, and what cannot be copied at all: said in words that a person can act on."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping

import pytest

from delivery.adapters.kube.objects import path
from delivery.adapters.workloads.kubernetes.adapter import KubernetesWorkloads
from delivery.model.place import object_name
from delivery.model.version import Backend, VersionRef
from delivery.ports.errors import Unavailable
from delivery.ports.workloads import Need, Running
from tests.cluster import shop as chart
from tests.cluster.shop import NAME, NEW, TARGET, Shop
from tests.cluster.testbed.api import Document
from tests.cluster.testbed.cluster import Cluster


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> Iterator[Shop]:
    found = Shop(cluster, namespace)
    yield found
    found.kube.close()


@pytest.fixture
def workloads(shop: Shop) -> KubernetesWorkloads:
    return KubernetesWorkloads(shop.kube, [shop.namespace])


def ensure(shop: Shop, workloads: KubernetesWorkloads, share: int = 100) -> Running:
    return workloads.ensure(TARGET, shop.workload, NEW, Need(share=share))


def failing(shop: Shop, workloads: KubernetesWorkloads) -> str:
    """Why the candidate is given up."""
    told: list[str] = []

    def found() -> bool:
        told.append(ensure(shop, workloads).failing or "")
        return bool(told[-1])

    shop.until(found)
    return told[-1]


def copies(shop: Shop) -> list[Document]:
    return shop.pods(**{"progressive-delivery/backend": object_name(Backend("checkout", NEW))})


# Pods.


def test_a_crash_loop_is_told_with_the_last_words(shop: Shop, workloads: KubernetesWorkloads) -> None:
    shop.deploy(annotations={"crash-after": "0", "last-words": "starting\nno such database: orders\n"})
    told = failing(shop, workloads)
    assert "crashed 3 times, exit code 1: no such database: orders" in told
    assert copies(shop)[0]["metadata"]["name"] in told


def test_an_image_that_cannot_be_pulled_is_told_with_the_registrys_words(
    shop: Shop, workloads: KubernetesWorkloads
) -> None:
    shop.deploy(annotations={"no-image": "manifest unknown"})
    assert f"ImagePullBackOff of {NEW.image}: manifest unknown" in failing(shop, workloads)


def test_a_pod_that_never_gets_ready_is_waited_for_and_then_told(shop: Shop, workloads: KubernetesWorkloads) -> None:
    stable = chart.deployment(shop.namespace, 1, {"never-ready": "true"}, chart.OLD)
    stable["spec"]["progressDeadlineSeconds"] = 3
    shop.kube.create(stable)
    shop.kube.create(chart.service(shop.namespace))
    shop.until(lambda: "its readiness probe fails" in ensure(shop, workloads).looked_for)
    assert "made no progress for 3 s" in failing(shop, workloads)


def test_a_quota_that_admits_no_pod_is_told_in_its_own_words(shop: Shop, workloads: KubernetesWorkloads) -> None:
    shop.deploy()
    shop.until(shop.has_rolled_out)
    limit(shop, pods=1)
    told = failing(shop, workloads)
    assert "no pod can be made" in told
    assert "exceeded quota: few" in told


def test_a_quota_that_admits_some_pods_holds_the_raise_and_gives_nothing_up(
    shop: Shop, workloads: KubernetesWorkloads
) -> None:
    shop.deploy(replicas=2)
    shop.until(shop.has_rolled_out)
    limit(shop, pods=3)
    shop.until(lambda: ensure(shop, workloads, 50).ready)
    shop.until(lambda: "exceeded quota: few" in ensure(shop, workloads, 100).looked_for)
    found = ensure(shop, workloads, 100)
    assert (found.ready, found.failing) == (False, None)
    assert len(copies(shop)) == 1


def limit(shop: Shop, pods: int) -> None:
    """A quota; its use is written by the test, because the testbed has no controller that counts."""
    hard = {"pods": str(pods)}
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": shop.namespace}}
    shop.kube.create({**body, "spec": {"hard": hard}})
    used = {"pods": str(len(shop.pods()))}
    where = f"{path('v1', 'ResourceQuota', shop.namespace, 'few')}/status"
    shop.kube.patch(where, {"status": {"hard": hard, "used": used}})


# What cannot be copied.


def refused(shop: Shop, workloads: KubernetesWorkloads) -> str:
    """Why; and that nothing was made."""
    told = ensure(shop, workloads).failing or ""
    name = object_name(Backend("checkout", NEW))
    for kind, version in (("Deployment", "apps/v1"), ("Service", "v1"), ("HorizontalPodAutoscaler", "autoscaling/v2")):
        assert shop.kube.find(path(version, kind, shop.namespace, name)) is None
    return told


def put(shop: Shop, pod: Mapping[str, object] | None = None, service: Mapping[str, object] | None = None) -> None:
    """The chart with changes of its pod's spec and of its Service's."""
    made, behind = chart.deployment(shop.namespace, 1, {}, chart.OLD), chart.service(shop.namespace)
    made["spec"]["template"]["spec"] |= pod or {}
    behind["spec"] |= service or {}
    shop.kube.create(made)
    shop.kube.create(behind)


def test_a_headless_service(shop: Shop, workloads: KubernetesWorkloads) -> None:
    put(shop, service={"clusterIP": "None"})
    assert f"Service {shop.namespace}/checkout is headless" in refused(shop, workloads)


def test_a_port_of_the_node(shop: Shop, workloads: KubernetesWorkloads) -> None:
    port = {"name": "http", "containerPort": 8080, "hostPort": 8080}
    put(shop, {"containers": [{"name": "checkout", "image": chart.OLD.image, "ports": [port]}]})
    assert "container checkout takes hostPort 8080" in refused(shop, workloads)


def test_a_volume_that_one_node_has(shop: Shop, workloads: KubernetesWorkloads) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "orders", "namespace": shop.namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    shop.kube.create(claim)
    put(shop, {"volumes": [{"name": "orders", "persistentVolumeClaim": {"claimName": "orders"}}]})
    assert f"volume claim {shop.namespace}/orders is ReadWriteOnce" in refused(shop, workloads)


def test_a_stateful_set(shop: Shop, workloads: KubernetesWorkloads) -> None:
    made = chart.deployment(shop.namespace, 1, {}, chart.OLD)
    made["kind"], made["spec"]["serviceName"] = "StatefulSet", NAME
    shop.kube.create(made)
    shop.kube.create(chart.service(shop.namespace))
    assert f"{shop.namespace}/checkout is a StatefulSet" in refused(shop, workloads)


def test_another_service_that_would_lead_to_the_copy(shop: Shop, workloads: KubernetesWorkloads) -> None:
    put(shop)
    wide = chart.service(shop.namespace)
    wide["metadata"]["name"], wide["spec"]["selector"] = "all", {"app.kubernetes.io/version": NEW.version}
    shop.kube.create(wide)
    assert f"Service {shop.namespace}/all would also select the candidate's pods" in refused(shop, workloads)


def test_an_ambient_namespace_without_a_waypoint(shop: Shop, workloads: KubernetesWorkloads) -> None:
    put(shop)
    labels = {"labels": {"istio.io/dataplane-mode": "ambient"}}
    shop.kube.patch(path("v1", "Namespace", name=shop.namespace), {"metadata": labels})
    assert "has no waypoint" in refused(shop, workloads)
    used = {"labels": {"istio.io/use-waypoint": "shop"}}
    shop.kube.patch(path("v1", "Service", shop.namespace, NAME), {"metadata": used})
    assert ensure(shop, workloads).failing is None


def test_a_scaled_object_of_keda(shop: Shop, workloads: KubernetesWorkloads, keda: None) -> None:
    put(shop)
    scaled = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "by-queue", "namespace": shop.namespace},
        "spec": {"scaleTargetRef": {"name": NAME}, "triggers": []},
    }
    shop.kube.create(scaled)
    assert f"ScaledObject {shop.namespace}/by-queue of KEDA" in refused(shop, workloads)


@pytest.fixture
def keda(cluster: Cluster, shop: Shop) -> Iterator[None]:
    """KEDA's kind of object, without KEDA."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    name = "scaledobjects.keda.sh"
    cluster.api.create(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": name},
            "spec": {
                "group": "keda.sh",
                "scope": "Namespaced",
                "names": {"kind": "ScaledObject", "plural": "scaledobjects", "singular": "scaledobject"},
                "versions": [
                    {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
                ],
            },
        }
    )
    where = path("keda.sh/v1alpha1", "ScaledObject", shop.namespace)

    def served() -> bool:
        with contextlib.suppress(Unavailable):
            return shop.kube.find(where) is not None
        return False

    shop.until(served)
    yield
    cluster.api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")


def test_an_object_in_the_way_is_left_alone(shop: Shop, workloads: KubernetesWorkloads) -> None:
    put(shop)
    stranger = chart.service(shop.namespace)
    stranger["metadata"]["name"] = object_name(Backend("checkout", NEW))
    before = shop.kube.create(stranger)
    assert "is in the way" in (ensure(shop, workloads).failing or "")
    workloads.retire(TARGET, shop.workload, NEW)
    assert shop.document(stranger["metadata"]["name"], "Service", "v1")["metadata"]["uid"] == before["metadata"]["uid"]


def test_a_namespace_that_has_not_opted_in(shop: Shop) -> None:
    put(shop)
    told = ensure(shop, KubernetesWorkloads(shop.kube, ["payments"])).failing
    assert told is not None
    assert f"namespace {shop.namespace} has not opted in" in told
    assert "payments" in told


def test_an_event_without_an_image(shop: Shop, workloads: KubernetesWorkloads) -> None:
    put(shop)
    told = workloads.ensure(TARGET, shop.workload, VersionRef.of("1.4.2")).failing
    assert told is not None
    assert "version 1.4.2 has no image" in told


def test_several_ports(shop: Shop, workloads: KubernetesWorkloads) -> None:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}, {"name": "admin", "port": 81, "targetPort": "http"}]
    put(shop, service={"ports": ports})
    assert "has several ports (80, 81)" in refused(shop, workloads)
    shop.place = dataclasses.replace(shop.place, port=80)
    shop.until(lambda: ensure(shop, workloads).ready)
    assert ensure(shop, workloads).endpoints[0].port == 80
