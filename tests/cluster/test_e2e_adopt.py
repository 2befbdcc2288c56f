"""An ordinary Helm-style Deployment with HPA, PDB and Service, released twice in clone mode: nobody notices."""

import copy
from collections import Counter

import pytest

from delivery.adapters.kube.objects import Document, path
from delivery.model.version import Endpoint
from tests.cluster import objects
from tests.cluster.front import Front
from tests.cluster.shop import NAME, SELECTED
from tests.cluster.steady import Stages, Steady, nothing_lost
from tests.cluster.testbed.process import wait_until
from tests.cluster.whole import Whole

pytestmark = pytest.mark.timeout(900)

REPLICAS = 2
CHAIN = "[blue_green: {bake: 5s, approval: {count: 1}}]"


class Owner:
    """What the owners of the Deployment see of it, all the time."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._service = Endpoint(objects.fqdn(NAME, front.namespace), 80)
        self.reasons: Counter[str] = Counter()

    def pods(self) -> dict[str, int]:
        """The Deployment's pods by their identity, with their restarts."""
        found = self._front.pods(**SELECTED)
        return {pod["metadata"]["uid"]: _restarts(pod) for pod in found if _image(pod) == self.image()}

    def image(self) -> str:
        return str(self.deployment()["spec"]["template"]["spec"]["containers"][0]["image"])

    def deployment(self) -> Document:
        return self._front.document()

    def behind_the_service(self) -> set[str]:
        """The images of the pods that somebody who reads no rule may meet: what is behind the owners' Service."""
        addresses = set(self._front.addresses(self._service))
        pods = self._front.kube.get(path("v1", "Pod", self._front.namespace))["items"]
        return {_image(pod) for pod in pods if pod["status"].get("podIP") in addresses}

    def look(self) -> bool:
        """Notes what the autoscaler says of itself; whether it has ever said anything."""
        found = self._front.document(kind="HorizontalPodAutoscaler", version="autoscaling/v2")
        for condition in found.get("status", {}).get("conditions") or ():
            self.reasons[condition["reason"]] += 1
        return bool(self.reasons)


def _restarts(pod: Document) -> int:
    return sum(status["restartCount"] for status in pod["status"].get("containerStatuses") or ())


def _image(pod: Document) -> str:
    return str(pod["spec"]["containers"][0]["image"])


def kept(deployment: Document) -> Document:
    """All that a release may not touch: everything but the image, and what Kubernetes itself counts."""
    spec = copy.deepcopy(deployment["spec"])
    del spec["template"]["spec"]["containers"][0]["image"]
    labels = {
        key: value for key, value in deployment["metadata"]["labels"].items() if "progressive-delivery" not in key
    }
    return {"spec": spec, "labels": labels}


@pytest.fixture
def front(cluster, namespace) -> Front:
    front = Front(cluster, namespace)
    front.open(replicas=REPLICAS)
    cluster.api.create(front.autoscaler(REPLICAS, 5))
    cluster.api.create(front.budget())
    return front


def test_it_is_adopted_and_released_twice(whole: Whole, front: Front, load: Steady) -> None:
    owner = Owner(front)
    before = kept(owner.deployment())
    scaler = front.document(kind="HorizontalPodAutoscaler", version="autoscaling/v2")["spec"]
    budget = front.document(kind="PodDisruptionBudget", version="policy/v1")["spec"]
    wait_until("the autoscaler looked", owner.look, 60)
    whole.apply(NAME, front.service_file(CHAIN))
    old = "registry.example/checkout:1.4.1"
    for version in ("1.4.2", "1.4.3"):
        new = f"registry.example/checkout:{version}"
        pods = owner.pods()
        assert len(pods) == REPLICAS
        release = whole.start_release(version)
        stages = Stages(whole, release)

        def unnoticed(pods=pods, old=old) -> None:
            """As long as the candidate has weight 0."""
            assert owner.pods() == pods
            assert owner.behind_the_service() == {old}
            owner.look()

        def waits(stages=stages, unnoticed=unnoticed) -> bool:
            unnoticed()
            return "approve" in stages.now["actions"]

        stages.until("it waits for approval", waits, 90)
        whole.say(release, "approve")

        def until_patched(stages=stages, pods=pods, old=old) -> bool:
            found = owner.pods()
            if owner.image() == old:  # and was when its pods were looked at
                assert found == pods
                owner.look()
            return bool(stages.now["finished_at"])

        stages.until("it is over", until_patched, 180)
        assert stages.now["state"] == "promoted", stages.now["text"]
        assert owner.image() == new
        wait_until("it rolled out", front.has_rolled_out, 60)
        wait_until("the copy is gone", lambda: deployments(front) == {NAME}, 90)
        assert owner.behind_the_service() == {new}
        assert front.versions() == {version}
        old = new
    assert kept(owner.deployment()) == before
    assert front.document(kind="PodDisruptionBudget", version="policy/v1")["spec"] == budget

    def rested() -> bool:
        return bool(front.document(kind="HorizontalPodAutoscaler", version="autoscaling/v2")["spec"] == scaler)

    wait_until("the autoscaler is as it was", rested, 60)
    assert "AmbiguousSelector" not in owner.reasons
    nothing_lost(load.stop())


def deployments(front: Front) -> set[str]:
    found = front.kube.get(path("apps/v1", "Deployment", front.namespace))["items"]
    return {each["metadata"]["name"] for each in found}
