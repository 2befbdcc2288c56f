"""Argo CD's Applications on a real API server, with its own CRD; what acts on them stands in for its controller."""

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from delivery.adapters.kube.client import Kube
from delivery.adapters.workloads.argocd.adapter import ArgoDeployer
from delivery.adapters.workloads.argocd.application import Applications
from delivery.adapters.workloads.kubernetes.adapter import KubernetesWorkloads
from delivery.model.place import Mode, Parameter, Promotion
from delivery.model.version import VersionRef
from delivery.ports.errors import Conflict, Refused
from tests.cluster import shop as chart
from tests.cluster.shop import NAME, NEW, OLD, TARGET, Shop
from tests.cluster.testbed import argocd
from tests.cluster.testbed.api import Document
from tests.cluster.testbed.argocd import NAMESPACE, LittleArgo
from tests.cluster.testbed.cluster import Cluster

HINT = {"application": NAME}
AUTOMATED = {"automated": {"selfHeal": True}}
CHART = {"repoURL": "https://charts.example.org", "chart": NAME, "targetRevision": "0.3.0"}


class Owned(Shop):
    """A shop whose Deployment an Application has, called like the namespace: each test has its own."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        super().__init__(cluster, namespace)
        argocd.install(cluster.api)
        parameter = Parameter(self.namespace, "image.tag")
        self.place = dataclasses.replace(self.place, promotion=Promotion.ARGOCD, parameter=parameter)
        self.applications = Applications(Kube(str(cluster.kubeconfig)), NAMESPACE)
        self.deployer = ArgoDeployer(self.kube, [namespace], self.applications)
        self.workloads = KubernetesWorkloads(self.kube, [namespace])
        self.argo = LittleArgo(cluster.api, namespace, self.render)

    def render(self, source: Document) -> list[Document]:
        """The chart, with 1.4.1 as its default tag."""
        given = {one["name"]: one["value"] for one in (source.get("helm") or {}).get("parameters") or ()}
        tag = given.get("image.tag", "1.4.1")
        made = chart.deployment(self.namespace, 1, {}, VersionRef.of(tag, f"registry.example/checkout:{tag}"))
        for key in ("labels", "annotations"):
            del made["metadata"][key]
        return [made]

    def begin(self, **spec: Any) -> None:
        self.cluster.api.create(argocd.application(self.namespace, CHART, self.namespace, **spec))
        self.argo.start()
        self.create(chart.service(self.namespace))
        if "syncPolicy" not in spec:
            self.press()
        self.argo.until_synced()
        self.until(self.has_rolled_out)

    def press(self, **sync: Any) -> None:
        """A person presses Sync."""
        operation = {"operation": {"sync": sync, "initiatedBy": {"username": "ann"}}}
        self.cluster.api.patch(f"/apis/{argocd.API}/namespaces/{NAMESPACE}/applications/{self.namespace}", operation)

    def bring(self, version: VersionRef, token: str, still: Callable[[], bool] = lambda: True) -> Any:
        return self.deployer.bring(TARGET, self.workload, version, still, token)

    def until_home(self, version: VersionRef, token: str) -> None:
        def home() -> bool:
            found = self.bring(version, token)
            assert found.failing is None, found.failing
            return bool(found.ready and self.workloads.look(TARGET, self.workload, version, home=True).ready)

        self.until(home)

    @property
    def parameters(self) -> list[Document]:
        return list((self.argo.get()["spec"]["source"].get("helm") or {}).get("parameters") or ())


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> Iterator[Owned]:
    found = Owned(cluster, namespace)
    yield found
    found.argo.stop()
    found.kube.close()
    found.applications.kube.close()


@pytest.mark.parametrize("policy", [{"syncPolicy": AUTOMATED}, {"syncPolicy": {"automated": {}}}, {}], ids=str)
def test_a_version_is_brought_home_and_back_by_its_parameter(shop: Owned, policy: Any) -> None:
    shop.begin(**policy)
    shop.until_home(NEW, "rel_1/5")
    assert shop.image() == NEW.image
    assert shop.parameters == [{"name": "image.tag", "value": "1.4.2", "forceString": True}]
    shop.until_home(OLD, "rel_1/6")
    assert shop.image() == OLD.image
    syncs = shop.argo.syncs
    for _ in range(3):
        assert shop.bring(OLD, "rel_1/6").ready, "asked again, it is left alone"
    assert shop.argo.syncs == syncs


def test_a_version_that_is_known_by_its_digest_is_told_by_its_tag(shop: Owned) -> None:
    shop.begin(syncPolicy=AUTOMATED)
    exact = VersionRef.of("1.4.2", f"{NEW.image}@sha256:{'b' * 64}")
    shop.until(lambda: bool(shop.bring(exact, "rel_1/5").ready))
    assert shop.image() == NEW.image


def test_without_automated_sync_only_the_deployment_is_synced(shop: Owned) -> None:
    shop.begin()
    shop.until_home(NEW, "rel_1/5")
    (asked,) = shop.argo.get()["status"]["operationState"]["operation"]["sync"]["resources"]
    assert (asked["kind"], asked["name"]) == ("Deployment", NAME)


def test_while_an_operation_runs_it_is_told_and_waited_for(shop: Owned) -> None:
    shop.begin()
    shop.argo.holds.set()
    shop.press()
    shop.until(lambda: shop.argo.get().get("status", {}).get("operationState", {}).get("phase") == "Running")
    assert not shop.bring(NEW, "rel_1/5").ready
    assert shop.parameters[0]["value"] == "1.4.2", "a word that has to wait is written all the same"
    assert "an operation of" in shop.bring(NEW, "rel_1/5").looked_for
    shop.argo.holds.clear()
    shop.until_home(NEW, "rel_1/5")


def test_what_cannot_be_synced_is_told_in_its_own_words(shop: Owned) -> None:
    shop.begin(syncPolicy=AUTOMATED)
    shop.argo.fails = "one or more objects failed to apply: admission webhook denied"
    shop.until(lambda: bool(shop.bring(NEW, "rel_1/5").failing))
    assert "admission webhook denied" in str(shop.bring(NEW, "rel_1/5").failing)
    shop.argo.fails = ""
    shop.until_home(OLD, "rel_1/6")


def test_a_parameter_that_sets_no_image_is_found_out(shop: Owned) -> None:
    shop.begin(syncPolicy=AUTOMATED)
    shop.place = dataclasses.replace(shop.place, parameter=Parameter(shop.namespace, "imageTag"))
    shop.until(lambda: bool(shop.bring(NEW, "rel_1/5").failing))
    assert "imageTag does not set its image" in str(shop.bring(NEW, "rel_1/5").failing)


def test_who_lost_the_target_tells_argo_cd_nothing(shop: Owned) -> None:
    shop.begin(syncPolicy=AUTOMATED)
    with pytest.raises(Conflict):
        shop.bring(NEW, "rel_1/5", still=lambda: False)
    assert shop.parameters == []


def test_a_decision_that_comes_late_meets_a_newer_one(shop: Owned) -> None:
    """A worker has read and is about to write when another one decides that nothing has to change."""
    shop.begin(syncPolicy=AUTOMATED)

    def meanwhile() -> bool:
        assert not shop.bring(OLD, "rel_1/6").ready
        return True

    with pytest.raises(Conflict):
        shop.bring(NEW, "rel_1/5", still=meanwhile)
    assert [one["value"] for one in shop.parameters] == ["1.4.1"]


def test_who_sets_it_back_three_times_is_named(shop: Owned) -> None:
    shop.begin()
    path = f"/apis/{argocd.API}/namespaces/{NAMESPACE}/applications/{shop.namespace}"
    for _ in range(3):
        shop.until(lambda: bool(shop.bring(NEW, "rel_1/5")) and bool(shop.parameters))
        shop.cluster.api.patch(path, {"spec": {"source": {"helm": None}}})
    found = shop.bring(NEW, "rel_1/5")
    assert "3 times and set back to what git says" in str(found.failing)


def test_an_application_of_somebody_else_is_told_nothing(shop: Owned) -> None:
    shop.begin(syncPolicy=AUTOMATED)
    shop.place = dataclasses.replace(shop.place, deployment="payments", service="payments")
    found = shop.bring(NEW, "rel_1/5")
    assert "does not manage Deployment" in str(found.failing)
    assert shop.parameters == []


def test_an_image_without_a_tag_would_have_no_way_back(shop: Owned) -> None:
    shop.argo.render = lambda source: [_with_image(shop.render({}), f"registry.example/checkout@sha256:{'a' * 64}")]
    shop.begin(syncPolicy=AUTOMATED)
    assert "has no tag" in str(shop.bring(NEW, "rel_1/5").failing)
    assert shop.parameters == []


# What notifications only hint at.


def hint(shop: Owned) -> Any:
    return shop.deployer.find(TARGET, shop.workload, {"application": shop.namespace})


def test_what_is_really_there_is_read_again(shop: Owned) -> None:
    shop.begin()
    shop.place = dataclasses.replace(shop.place, mode=Mode.OBSERVE)
    found = hint(shop)
    assert found.waits == ""
    assert found.by == "ann"
    assert found.at is not None
    assert (found.facts["version"], found.facts["tag"], found.facts["deployment"]) == ("1.4.1", "1.4.1", NAME)
    assert found.facts["image"].startswith(str(OLD.image))
    assert (found.facts["sync"], found.facts["health"], found.facts["revision"]) == ("Synced", "Healthy", "commit-1")


def test_a_deployment_that_has_not_rolled_out_is_waited_for_whatever_argo_cd_says(shop: Owned) -> None:
    shop.begin(syncPolicy=AUTOMATED)
    slow = chart.deployment(shop.namespace, 1, {"never-ready": "true"}, NEW)["spec"]["template"]
    shop.argo.commit(lambda source: [_with_template(shop.render({}), slow)])
    shop.until(lambda: shop.image() == NEW.image)
    shop.argo.until_synced()
    shop.until(lambda: hint(shop).facts["health"] == "Healthy" and "Deployment" in hint(shop).waits)


def test_each_version_in_a_deployment_of_its_own_is_found_by_its_name(shop: Owned) -> None:
    place = dataclasses.replace(
        shop.place, mode=Mode.VERSIONED, candidate="checkout-{version}", promotion=Promotion.PATCH
    )
    shop.begin(syncPolicy=AUTOMATED)
    shop.place = place
    with pytest.raises(Refused, match="manages no Deployment"):
        hint(shop)

    def versions(source: Document) -> list[Document]:
        return [*shop.render(source), *(_named(shop.render({}), version) for version in (OLD, NEW))]

    shop.argo.commit(versions)
    shop.until(lambda: len(shop.argo.get()["status"]["resources"]) == 3)
    shop.argo.until_synced()
    shop.until(lambda: hint(shop).waits == "")
    assert hint(shop).facts["deployment"] in ("checkout-1-4-1", "checkout-1-4-2")
    shop.until(lambda: _in_another_second(shop))
    newest = _named(shop.render({}), VersionRef.of("1.4.3", "registry.example/checkout:1.4.3"))
    shop.argo.commit(lambda source: [*versions(source), newest])
    shop.until(lambda: hint(shop).facts["version"] == "1.4.3")
    shop.until(lambda: hint(shop).waits == "")


def test_an_application_that_is_not_there_or_elsewhere_is_refused(shop: Owned) -> None:
    for told, says in (
        ({"application": "nothing"}, "there is no Application"),
        ({"application": shop.namespace, "namespace": "kube-system"}, "none of Argo CD's namespaces"),
    ):
        with pytest.raises(Refused, match=says):
            shop.deployer.find(TARGET, shop.workload, told)


def _with_image(made: list[Document], image: str) -> Document:
    made[0]["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return made[0]


def _with_template(made: list[Document], template: Document) -> Document:
    made[0]["spec"]["template"] = template
    return made[0]


def _in_another_second(shop: Owned) -> bool:
    """Which Deployment is the newest is told by times of whole seconds."""
    found = shop.cluster.api.get(f"/apis/apps/v1/namespaces/{shop.namespace}/deployments")["items"]
    made = max(datetime.fromisoformat(one["metadata"]["creationTimestamp"]) for one in found)
    return datetime.now(UTC) >= made + timedelta(seconds=1)


def _named(made: list[Document], version: VersionRef) -> Document:
    """As CI deploys it: told apart by the label `version`."""
    found, own = made[0], {"app.kubernetes.io/name": NAME, "version": version.version}
    found["metadata"]["name"] = f"checkout-{version.version.replace('.', '-')}"
    found["spec"]["selector"]["matchLabels"] = own
    found["spec"]["template"]["metadata"]["labels"] = own
    return _with_image([found], str(version.image))
