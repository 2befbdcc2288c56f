"""Compared with a copy of stable, whole: pods that no Service of the owners' ever leads to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.adapters.kube import marks
from delivery.adapters.kube.objects import path
from tests.cluster import shop as chart
from tests.cluster.conftest import RATE
from tests.cluster.front import Front
from tests.cluster.shop import NAME
from tests.cluster.steady import Stages, Steady, nothing_lost
from tests.cluster.test_workload_clone import HPA, PDB, Watched
from tests.cluster.testbed.api import Document
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.process import wait_until
from tests.cluster.whole import Whole

pytestmark = pytest.mark.timeout(600)

CANARY = "[canary: {steps: [20%, 50%], bake: 5s, min_requests: 50}]"


@pytest.fixture
def front(cluster: Cluster, namespace: str) -> Front:
    """A shop of four pods with an autoscaler and a disruption budget."""
    front = Front(cluster, namespace)
    front.open(replicas=4)
    front.create(chart.autoscaler(namespace, least=4))
    front.create(chart.budget(namespace))
    return front


@pytest.fixture
def load(cluster: Cluster, front: Front, tmp_path: Path) -> Iterator[Steady]:
    steady = Steady(cluster, tmp_path, front.host, RATE)
    yield steady
    steady.stop()


class Copies:
    """The pods of ours that were ever seen beside the owners', by the version that they answer with."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self.addresses: dict[str, set[str]] = {}

    def look(self) -> None:
        for pod in self._ours():
            version = pod["metadata"]["labels"]["version"]
            self.addresses.setdefault(version, set()).update(filter(None, [pod["status"].get("podIP")]))

    def gone(self) -> bool:
        objects = [self._front.kube.get(at)["items"] for at in map(self._path, (HPA, PDB, ("Deployment", "apps/v1")))]
        return not self._ours() and not [one for found in objects for one in found if marks.BACKEND in labels(one)]

    def _ours(self) -> list[Document]:
        return [pod for pod in self._front.pods() if marks.BACKEND in labels(pod)]

    def _path(self, kind: tuple[str, str]) -> str:
        return path(kind[1], kind[0], self._front.namespace)


def labels(document: Document) -> dict[str, str]:
    found: dict[str, str] = document["metadata"].get("labels") or {}
    return found


def followed(whole: Whole, release: str, copies: Copies) -> Stages:
    stages = Stages(whole, release)

    def over() -> bool:
        copies.look()
        return bool(stages.now["finished_at"])

    stages.until("the release is over", over, 180)
    return stages


def test_a_copy_of_stable_is_compared_with_and_nobody_of_its_owners_knows_it(
    whole: Whole, front: Front, load: Steady
) -> None:
    text = front.service_file(CANARY).replace("dispersion: 1", "dispersion: 1, baseline: fresh")
    whole.apply(NAME, text)
    copies = Copies(front)
    with Watched(front) as watched:
        stages = followed(whole, whole.start_release("1.4.2"), copies)
        assert stages.now["state"] == "promoted", stages.now["text"]
        for stage in stages.found.values():
            stage.follows("1.4.2")
        wait_until("both copies are gone", copies.gone, 90, whole.check)
        assert copies.addresses.keys() == {"1.4.1", "1.4.2"}
        assert [len(copies.addresses["1.4.1"]), len(copies.addresses["1.4.2"])] == [1, 4]
    ours = set().union(*copies.addresses.values())
    assert not ours & watched.addresses, "stable's Service never led to one of them"
    assert not [reason for reason in watched.reasons if "Ambiguous" in reason], watched.reasons
    assert front.versions() == {"1.4.2"}
    nothing_lost(load.stop())
