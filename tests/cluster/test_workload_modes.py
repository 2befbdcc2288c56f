"""Versions that CI deploys, rollouts in place that are only looked at, and promotions that somebody else may undo."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from delivery.adapters.kube.client import MERGE_PATCH
from delivery.adapters.kube.objects import path
from delivery.adapters.workloads.kubernetes.adapter import KubernetesWorkloads
from delivery.adapters.workloads.kubernetes.identity import fingerprint
from delivery.model.place import Isolation, Mode, Promotion, object_name
from delivery.model.version import Backend, VersionRef
from delivery.ports.errors import Conflict, Refused, Unavailable
from delivery.ports.workloads import Need
from tests.cluster import shop as chart
from tests.cluster.shop import NAME, NEW, OLD, TARGET, Shop
from tests.cluster.testbed.cluster import Cluster

EXACT = VersionRef.of("1.4.2", f"registry.example/checkout@sha256:{'b' * 64}")


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> Iterator[Shop]:
    found = Shop(cluster, namespace)
    yield found
    found.kube.close()


@pytest.fixture
def workloads(shop: Shop) -> KubernetesWorkloads:
    return KubernetesWorkloads(shop.kube, [shop.namespace])


def put(shop: Shop, **changes: Any) -> None:
    shop.place = dataclasses.replace(shop.place, **changes)


def by_ci(shop: Shop, version: VersionRef, name: str) -> None:
    """Deployed as CI does it: a Deployment for each version, told apart by the label `version`."""
    made = chart.deployment(shop.namespace, 1, {}, version)
    own = {"app.kubernetes.io/name": NAME, "version": version.version}
    made["metadata"]["name"] = name
    made["spec"]["selector"]["matchLabels"] = own
    made["spec"]["template"]["metadata"]["labels"] = {**own, **chart.SELECTED}
    shop.kube.create(made)


def note(shop: Shop, name: str, key: str) -> str | None:
    found: str | None = shop.document(name)["metadata"].get("annotations", {}).get(f"progressive-delivery/{key}")
    return found


# Each version in a Deployment of its own.


def test_a_version_that_ci_deploys_is_waited_for_marked_and_given_a_service(
    shop: Shop, workloads: KubernetesWorkloads
) -> None:
    put(shop, mode=Mode.VERSIONED, candidate="checkout-{version}")
    shop.kube.create(chart.service(shop.namespace))
    awaited = workloads.ensure(TARGET, shop.workload, NEW)
    assert (awaited.ready, awaited.failing) == (False, None)
    assert "checkout-1-4-2" in awaited.looked_for
    by_ci(shop, OLD, "checkout-1-4-1")
    by_ci(shop, NEW, "checkout-1.4.2")
    shop.until(lambda: workloads.ensure(TARGET, shop.workload, NEW).ready)
    found = workloads.look(TARGET, shop.workload, NEW)
    assert found.ready
    mine = {pod["status"]["podIP"] for pod in shop.pods(version="1.4.2")}
    shop.until(lambda: set(shop.addresses(found.endpoints[0])) == mine)
    assert shop.answers(found.endpoints[0])
    assert note(shop, "checkout-1.4.2", "in-use") == TARGET
    workloads.retire(TARGET, shop.workload, NEW)
    assert shop.has_rolled_out("checkout-1.4.2"), "it is CI that takes it away"
    assert note(shop, "checkout-1.4.2", "in-use") is None
    assert not workloads.look(TARGET, shop.workload, NEW).ready
    workloads.retire(TARGET, shop.workload, NEW)


def test_what_users_reach_is_adopted_beside_the_candidate(shop: Shop, workloads: KubernetesWorkloads) -> None:
    put(shop, mode=Mode.VERSIONED, candidate="checkout-{version}")
    shop.kube.create(chart.service(shop.namespace))
    assert workloads.current(TARGET, shop.workload, NEW) is None, "nothing runs"
    by_ci(shop, NEW, "checkout-1-4-2")
    assert workloads.current(TARGET, shop.workload, NEW) is None, "what is released is not what it is compared with"
    by_ci(shop, OLD, "checkout-1-4-1")
    shop.until(lambda: shop.has_rolled_out("checkout-1-4-1"))
    found = workloads.current(TARGET, shop.workload, NEW)
    assert found is not None
    assert found.version == "1.4.1"
    shop.until(lambda: workloads.ensure(TARGET, shop.workload, found).ready)
    by_ci(shop, VersionRef.of("1.4.0", "registry.example/checkout:1.4.0"), "checkout-1-4-0")
    with pytest.raises(Refused, match="checkout-1-4-0, checkout-1-4-1"):
        workloads.current(TARGET, shop.workload, NEW)
    shop.kube.patch(
        path("apps/v1", "Deployment", shop.namespace, "checkout-1-4-0"), {"spec": {"replicas": 0}}, MERGE_PATCH
    )
    assert workloads.current(TARGET, shop.workload, NEW) == found


def test_a_scale_down_that_was_decided_before_the_version_was_marked_fails(
    shop: Shop, workloads: KubernetesWorkloads
) -> None:
    put(shop, mode=Mode.VERSIONED, candidate="checkout-{version}")
    shop.kube.create(chart.service(shop.namespace))
    by_ci(shop, NEW, "checkout-1-4-2")
    shop.until(lambda: shop.has_rolled_out("checkout-1-4-2"))
    decided = shop.document("checkout-1-4-2")
    shop.until(lambda: workloads.ensure(TARGET, shop.workload, NEW).ready)
    decided["spec"]["replicas"] = 0
    with pytest.raises(Conflict):
        shop.kube.replace(decided)


def test_a_version_that_is_not_what_the_event_said_is_named_with_both_images(
    shop: Shop, workloads: KubernetesWorkloads
) -> None:
    put(shop, mode=Mode.VERSIONED, candidate="checkout-{version}")
    shop.kube.create(chart.service(shop.namespace))
    by_ci(shop, NEW, "checkout-1-4-2")
    failing = workloads.ensure(TARGET, shop.workload, EXACT).failing or ""
    assert NEW.image is not None
    assert EXACT.image is not None
    assert NEW.image in failing
    assert EXACT.image in failing
    assert note(shop, "checkout-1-4-2", "in-use") is None


def test_what_pods_run_counts_where_a_deployment_names_a_tag(shop: Shop, workloads: KubernetesWorkloads) -> None:
    """The event knows the digest, the chart only the tag: they are compared by what the nodes pulled."""
    put(shop, mode=Mode.VERSIONED, candidate="checkout-{version}")
    shop.kube.create(chart.service(shop.namespace))
    by_ci(shop, NEW, "checkout-1-4-2")
    shop.until(lambda: shop.has_rolled_out("checkout-1-4-2"))
    pulled = shop.pods(version="1.4.2")[0]["status"]["containerStatuses"][0]["imageID"]
    shop.until(lambda: workloads.ensure(TARGET, shop.workload, VersionRef.of("1.4.2", pulled)).ready)


# A rollout in place.


def test_a_rollout_in_place_is_looked_at_and_nothing_is_made(shop: Shop, workloads: KubernetesWorkloads) -> None:
    put(shop, mode=Mode.OBSERVE)
    shop.deploy()
    shop.until(lambda: workloads.ensure(TARGET, shop.workload, OLD).ready)
    before = shop.document()["metadata"]
    other = workloads.ensure(TARGET, shop.workload, NEW)
    assert not other.ready
    assert not workloads.promote(TARGET, shop.workload, NEW).ready
    workloads.retire(TARGET, shop.workload, NEW)
    workloads.rest(TARGET, shop.workload)
    after = shop.document()["metadata"]
    assert (after["generation"], after["annotations"]) == (before["generation"], before["annotations"])
    listed = shop.kube.get(path("apps/v1", "Deployment", shop.namespace))["items"]
    assert [one["metadata"]["name"] for one in listed] == [NAME]


# Promotion.


def test_who_promotes_by_hand_is_waited_for(shop: Shop, workloads: KubernetesWorkloads) -> None:
    put(shop, promotion=Promotion.NONE)
    shop.deploy()
    shop.until(lambda: workloads.look(TARGET, shop.workload, OLD, home=True).ready)
    waiting = workloads.promote(TARGET, shop.workload, NEW)
    assert (waiting.ready, waiting.failing) == (False, None)
    assert "1.4.2" in waiting.looked_for
    assert "1.4.1" in waiting.looked_for
    assert NEW.image is not None
    shop.set_image(NEW.image)
    shop.until(lambda: workloads.promote(TARGET, shop.workload, NEW).ready)


def ensured(shop: Shop, workloads: KubernetesWorkloads, version: VersionRef) -> Callable[[], bool]:
    return lambda: workloads.ensure(TARGET, shop.workload, version, Need(share=1)).ready


def test_an_image_that_somebody_else_has_set_meanwhile_is_not_overwritten(
    shop: Shop, workloads: KubernetesWorkloads
) -> None:
    shop.deploy()
    shop.until(shop.has_rolled_out)
    shop.until(ensured(shop, workloads, NEW))
    shop.set_image("registry.example/checkout:hotfix")
    found = workloads.promote(TARGET, shop.workload, NEW)
    failing = found.failing or ""
    assert not found.ready
    assert "checkout:hotfix" in failing
    assert str(OLD.image) in failing
    assert shop.image() == "registry.example/checkout:hotfix"
    home = workloads.ensure(TARGET, shop.workload, OLD, Need(home=True))
    assert not home.ready
    assert "hotfix" in home.looked_for


def test_who_sets_the_image_back_wins_after_three_patches(shop: Shop, workloads: KubernetesWorkloads) -> None:
    shop.deploy()
    shop.until(shop.has_rolled_out)
    shop.until(ensured(shop, workloads, NEW))
    assert OLD.image is not None
    for _ in range(3):
        assert workloads.promote(TARGET, shop.workload, NEW).failing is None
        assert shop.image() == NEW.image
        shop.set_image(OLD.image, manager="argocd-controller")
    found = workloads.promote(TARGET, shop.workload, NEW)
    assert "set back to registry.example/checkout:1.4.1 by argocd-controller" in (found.failing or "")
    assert shop.image() == OLD.image


def test_going_back_sets_the_image_that_was_adopted(shop: Shop, workloads: KubernetesWorkloads) -> None:
    shop.deploy()
    shop.until(shop.has_rolled_out)
    adopted = workloads.current(TARGET, shop.workload)
    assert adopted is not None
    assert adopted.version == "1.4.1"
    assert adopted.identity.startswith("sha256:"), "by the digest that its pods pulled"
    assert adopted.image == f"{OLD.image}@{adopted.identity}"
    shop.until(ensured(shop, workloads, NEW))
    shop.until(lambda: workloads.promote(TARGET, shop.workload, NEW).ready)
    shop.until(lambda: workloads.promote(TARGET, shop.workload, adopted).ready)
    assert shop.image() == adopted.image
    assert workloads.current(TARGET, shop.workload) == adopted


def test_a_restart_of_stable_is_no_reason_to_call_it_unready(shop: Shop, workloads: KubernetesWorkloads) -> None:
    """Its old pods run the same image. Pods of another image are one, however many of them are available."""
    shop.deploy(replicas=2)
    shop.until(shop.has_rolled_out)
    restarted = {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}
    before = uids(shop)
    shop.kube.patch(path("apps/v1", "Deployment", shop.namespace, NAME), {"spec": restarted})

    def finished() -> bool:
        assert workloads.look(TARGET, shop.workload, OLD, home=True).ready
        return not before & uids(shop) and shop.has_rolled_out()

    shop.until(finished)
    assert NEW.image is not None
    shop.set_image(NEW.image)
    looks = []

    def replaced() -> bool:
        looks.append(workloads.look(TARGET, shop.workload, NEW, home=True).ready)
        return looks[-1]

    shop.until(replaced)
    assert not looks[0], "its pods were of the old image"
    assert {pod["spec"]["containers"][0]["image"] for pod in shop.pods(**chart.SELECTED)} == {NEW.image}


def test_the_owners_deployment_that_pauses_is_told(shop: Shop, workloads: KubernetesWorkloads) -> None:
    shop.deploy()
    shop.until(shop.has_rolled_out)
    shop.kube.patch(path("apps/v1", "Deployment", shop.namespace, NAME), {"spec": {"paused": True}}, MERGE_PATCH)
    shop.until(lambda: "rollout resume" in (workloads.promote(TARGET, shop.workload, NEW).failing or ""))


# Configuration.


def configure(shop: Shop, text: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "checkout", "namespace": shop.namespace},
        "data": {"settings": text},
    }
    try:
        shop.kube.create(body)
    except Conflict:
        shop.kube.replace(body)


def test_tracked_configuration_is_part_of_what_runs(shop: Shop, workloads: KubernetesWorkloads) -> None:
    put(shop, track=("configmap/checkout",))
    shop.deploy()
    shop.until(shop.has_rolled_out)
    with pytest.raises(Refused, match="configmap/checkout, which is not in namespace"):
        workloads.current(TARGET, shop.workload)
    configure(shop, "one")
    first = workloads.current(TARGET, shop.workload)
    configure(shop, "two")
    second = workloads.current(TARGET, shop.workload)
    assert first is not None
    assert second is not None
    assert first.identity != second.identity
    assert first.image == second.image
    shop.until(lambda: workloads.promote(TARGET, shop.workload, NEW).ready)
    before = uids(shop)
    configure(shop, "three")
    shop.until(lambda: workloads.promote(TARGET, shop.workload, NEW, token="again").ready)
    assert uids(shop) == before
    asked = dataclasses.replace(NEW, identity=f"{NEW.image}+config:{fingerprint(shop.config())}")
    shop.until(lambda: workloads.promote(TARGET, shop.workload, asked).ready)
    assert not before & uids(shop), "its pods read the new one"


def uids(shop: Shop) -> set[str]:
    return {pod["metadata"]["uid"] for pod in shop.pods(**chart.SELECTED)}


# Isolation by subset.


def test_with_subsets_the_copy_joins_the_owners_service_under_a_version_of_its_own(
    shop: Shop, workloads: KubernetesWorkloads
) -> None:
    put(shop, isolation=Isolation.SUBSET)
    stable = chart.deployment(shop.namespace, 1, {}, OLD)
    own = {**chart.SELECTED, "version": "1.4.1"}
    stable["spec"]["selector"]["matchLabels"] = own
    stable["spec"]["template"]["metadata"]["labels"] = own
    shop.kube.create(stable)
    shop.kube.create(chart.service(shop.namespace))
    shop.until(ensured(shop, workloads, NEW))
    endpoint = workloads.look(TARGET, shop.workload, NEW).endpoints[0]
    assert endpoint.host.startswith(f"{NAME}.")
    shop.until(lambda: len(shop.addresses(endpoint)) == 2)
    copy = shop.pods(version=object_name(Backend("checkout", NEW)))
    assert len(copy) == 1
    with pytest.raises(Unavailable, match="still end their requests"):
        workloads.retire(TARGET, shop.workload, NEW)
    assert shop.document()["spec"]["selector"]["matchLabels"] == own
