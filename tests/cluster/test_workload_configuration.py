"""Tracked configuration on a real API server: each version reads its own copy, which comes home and goes with it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from delivery.adapters.kube.client import Absent
from delivery.adapters.kube.objects import path
from delivery.adapters.workloads.kubernetes.adapter import KubernetesWorkloads
from delivery.model.place import object_name
from delivery.model.version import Backend, VersionRef
from delivery.ports.errors import Unavailable
from delivery.ports.workloads import Need
from tests.cluster import shop as chart
from tests.cluster.shop import NAME, NEW, TARGET, Shop
from tests.cluster.testbed.cluster import Cluster

FLAGS = VersionRef.of("1.4.2-flags.2", NEW.image, "4be1d0c")
MORE = VersionRef.of("1.4.2-flags.3", NEW.image, "99aa001")


def written(shop: Shop, kind: str, name: str, text: str) -> None:
    """As git leaves it: made, or changed in place."""
    body = {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": shop.namespace},
        "stringData" if kind == "Secret" else "data": {"settings": text},
    }
    try:
        shop.kube.get(path("v1", kind, shop.namespace, name))
        shop.cluster.api.patch(path("v1", kind, shop.namespace, name), body)
    except Absent:
        shop.create(body)


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> Iterator[Shop]:
    """A chart whose pods read a ConfigMap, and a Secret that rotates."""
    found = Shop(cluster, namespace)
    written(found, "ConfigMap", NAME, "one")
    written(found, "Secret", "db", "password")
    made = chart.deployment(namespace, 1, {}, chart.OLD)
    container = made["spec"]["template"]["spec"]["containers"][0]
    container["envFrom"] = [{"configMapRef": {"name": NAME}}, {"secretRef": {"name": "db"}}]
    found.create(made)
    found.create(chart.service(namespace))
    found.place = replace(found.place, track=(f"configmap/{NAME}",), share=("secret/db",))
    found.until(found.has_rolled_out)
    yield found
    found.kube.close()


@pytest.fixture
def workloads(shop: Shop) -> KubernetesWorkloads:
    return KubernetesWorkloads(shop.kube, [shop.namespace])


def ready(shop: Shop, workloads: KubernetesWorkloads, version: VersionRef) -> None:
    def found() -> bool:
        running = workloads.ensure(TARGET, shop.workload, version, Need(share=100))
        assert running.failing is None, running.failing
        return running.ready

    shop.until(found)


def released(shop: Shop, workloads: KubernetesWorkloads, version: VersionRef) -> None:
    """Beside stable, then home; the copy goes, and the way back stays open."""
    ready(shop, workloads, version)
    promoted(shop, workloads, version)
    gone(shop, workloads, version)


def promoted(shop: Shop, workloads: KubernetesWorkloads, version: VersionRef) -> None:
    def found() -> bool:
        running = workloads.promote(TARGET, shop.workload, version)
        assert running.failing is None, running.failing
        return running.ready

    shop.until(found)
    assert workloads.current(TARGET, shop.workload) == version


def gone(shop: Shop, workloads: KubernetesWorkloads, version: VersionRef) -> None:
    def found() -> bool:
        try:
            workloads.retire(TARGET, shop.workload, version)
        except Unavailable:
            return False
        return True

    shop.until(found)


def copy_of(version: VersionRef) -> str:
    return object_name(Backend(NAME, version))


def reads(shop: Shop, name: str = NAME) -> str:
    """What the pods of a Deployment read, by what is in it."""
    (tracked, shared) = shop.document(name)["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    assert shared == {"secretRef": {"name": "db"}}, "credentials that rotate are shared"
    found = shop.document(tracked["configMapRef"]["name"], "ConfigMap", "v1")
    return str(found["data"]["settings"])


def copies(shop: Shop) -> set[str]:
    selector = "app.kubernetes.io/managed-by=progressive-delivery"
    found = shop.kube.get(path("v1", "ConfigMap", shop.namespace), labelSelector=selector)["items"]
    assert all(one["immutable"] for one in found)
    return {one["data"]["settings"] for one in found}


def test_a_configuration_alone_is_released_and_taken_back(shop: Shop, workloads: KubernetesWorkloads) -> None:
    released(shop, workloads, NEW)
    assert reads(shop) == "one"
    written(shop, "ConfigMap", NAME, "two")
    assert reads(shop) == "one", "an edit in place reaches nobody"
    stable = {pod["metadata"]["uid"] for pod in shop.pods(**chart.SELECTED)}
    ready(shop, workloads, FLAGS)
    written(shop, "ConfigMap", NAME, "three")
    assert (reads(shop), reads(shop, copy_of(FLAGS))) == ("one", "two")
    assert {pod["metadata"]["uid"] for pod in shop.pods(**chart.SELECTED)} == stable, "none was restarted"
    promoted(shop, workloads, FLAGS)
    assert reads(shop) == "two", "what was proven, and nothing newer"
    promoted(shop, workloads, NEW)
    assert reads(shop) == "one", "back, with the same image"
    promoted(shop, workloads, FLAGS)
    gone(shop, workloads, FLAGS)
    assert copies(shop) == {"one", "two"}, "kept for the way back"
    workloads.rest(TARGET, shop.workload)
    assert copies(shop) == {"two"}
    released(shop, workloads, MORE)
    workloads.rest(TARGET, shop.workload)
    assert copies(shop) == {"three"}


def test_what_was_released_is_made_again_with_what_it_had(shop: Shop, workloads: KubernetesWorkloads) -> None:
    """The rollback of a finished release: a copy of the old version, from the same image and configuration."""
    released(shop, workloads, NEW)
    written(shop, "ConfigMap", NAME, "two")
    released(shop, workloads, FLAGS)
    ready(shop, workloads, NEW)
    assert reads(shop, copy_of(NEW)) == "one"
    promoted(shop, workloads, NEW)
    gone(shop, workloads, NEW)
    assert reads(shop) == "one"


def test_an_aborted_one_leaves_nothing(shop: Shop, workloads: KubernetesWorkloads) -> None:
    ready(shop, workloads, FLAGS)
    gone(shop, workloads, FLAGS)
    gone(shop, workloads, FLAGS)
    assert copies(shop) == set()
    assert reads(shop) == "one"


def test_what_its_owners_started_it_with_and_changed_since_is_not_passed_off_as_the_old(
    shop: Shop, workloads: KubernetesWorkloads
) -> None:
    adopted = workloads.current(TARGET, shop.workload)
    assert adopted is not None
    written(shop, "ConfigMap", NAME, "two")
    failing = workloads.ensure(TARGET, shop.workload, adopted, Need(share=100)).failing or ""
    assert "is not what 1.4.1 was started with" in failing
    assert not workloads.look(TARGET, shop.workload, adopted, home=True).ready, "its next pod would be another"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"track": ("configmap/chekout",)}, "config.track has configmap/chekout, which none of its containers reads"),
        ({"share": ("secret/other",)}, "config.share has secret/other, which none of its containers reads"),
    ],
)
def test_a_wrong_reference_is_told_with_what_there_is(
    shop: Shop, workloads: KubernetesWorkloads, changes: dict[str, Any], told: str
) -> None:
    shop.place = replace(shop.place, **changes)
    failing = workloads.ensure(TARGET, shop.workload, FLAGS).failing or ""
    assert told in failing
    assert "they read: configmap/checkout, secret/db" in failing
    assert copies(shop) == set()


def test_a_copy_of_stable_reads_what_stable_reads(shop: Shop, workloads: KubernetesWorkloads) -> None:
    current = workloads.current(TARGET, shop.workload)
    assert current is not None
    ready(shop, workloads, current.copy_for("rel_1"))
    assert reads(shop, copy_of(current.copy_for("rel_1"))) == "one"
    released(shop, workloads, NEW)
    written(shop, "ConfigMap", NAME, "two")
    ready(shop, workloads, NEW.copy_for("rel_2"))
    assert reads(shop, copy_of(NEW.copy_for("rel_2"))) == "one", "also where its owners have changed theirs"
    gone(shop, workloads, NEW.copy_for("rel_2"))
    assert reads(shop) == "one", "which its owners' Deployment still reads"


def test_stable_s_configuration_of_before_is_not_made_up(shop: Shop, workloads: KubernetesWorkloads) -> None:
    current = workloads.current(TARGET, shop.workload)
    assert current is not None
    written(shop, "ConfigMap", NAME, "two")
    found = workloads.ensure(TARGET, shop.workload, current.copy_for("rel_1"), Need(share=5))
    assert "1.4.1" in (found.failing or "")
    assert not found.ready
