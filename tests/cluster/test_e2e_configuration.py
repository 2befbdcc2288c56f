"""Configurations alone in whole releases on the testbed: one image, of which users get what its ConfigMap says."""

from pathlib import Path

import pytest

from delivery.adapters.kube.objects import path
from tests.cluster.conftest import RATE
from tests.cluster.front import Front
from tests.cluster.shop import NAME
from tests.cluster.steady import Stages, Steady, nothing_lost
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.whole import Whole

pytestmark = pytest.mark.timeout(600)

IMAGE = f"registry.example/{NAME}:1.4.1"
STRATEGY = "[canary: {steps: [30%], bake: 6s, min_requests: 50}]"
TRACKED = f"config: {{track: [configmap/{NAME}]}}"


class Flags:
    """The ConfigMap that the pods read. The answering version is its VERSION: images cannot tell these apart."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._path = path("v1", "ConfigMap", front.namespace, NAME)
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME, "namespace": front.namespace}}
        front.create(body | {"data": {"VERSION": "flags.0"}})

    def read_by_all(self) -> None:
        """Returns when users are answered by pods that read it."""
        container = {"name": NAME, "envFrom": [{"configMapRef": {"name": NAME}}]}
        body = {"spec": {"template": {"spec": {"containers": [container]}}}}
        self._front.cluster.api.patch(self._front.path, body, "application/strategic-merge-patch+json")
        self._front.until(self._front.has_rolled_out)
        self._front.until(lambda: self._front.versions() == {"flags.0"})

    def edit(self, version: str, faults: str = "") -> None:
        """As `kubectl apply` does it."""
        self._front.cluster.api.patch(self._path, {"data": {"VERSION": version, "FAULTS": faults}})


def test_a_bad_configuration_goes_back_and_a_good_one_comes_home(
    cluster: Cluster, namespace: str, whole: Whole, tmp_path: Path
) -> None:
    front = Front(cluster, namespace)
    front.open()
    flags = Flags(front)
    flags.read_by_all()
    load = Steady(cluster, tmp_path, front.host, RATE)
    try:
        whole.apply(NAME, front.service_file(STRATEGY, TRACKED))
        assert Stages(whole, begun(whole, "flags.0")).until_over() == "promoted"
        flags.edit("flags.1", "fail-every=4")
        assert front.versions() == {"flags.0"}, "an edit in place reaches nobody"
        bad = Stages(whole, begun(whole, "flags.1"))
        assert bad.until_over() == "rolled_back"
        assert bad.now["cause"]["type"] == "gate_failed", bad.now["cause"]
        assert front.versions() == {"flags.0"}
        flags.edit("flags.2")
        good = begun(whole, "flags.2")
        assert Stages(whole, good).until_over() == "promoted"
        assert front.versions() == {"flags.2"}
        assert front.image() == IMAGE
        back = whole.say(good, "rollback")
        assert Stages(whole, str(back["release"]["id"])).until_over() == "promoted"
        front.until(lambda: front.versions() == {"flags.0"})
    finally:
        counts = load.stop()
    nothing_lost(counts)
    assert [version for version, seen in counts["versions"].items() if seen["errors"]] == ["flags.1"]


def begun(whole: Whole, flags: str) -> str:
    """CI has another configuration of the image that runs."""
    answer = whole.deliver(NAME, f"1.4.1-{flags}", IMAGE, config=flags)
    assert answer["outcome"] == "release", answer
    return str(answer["release"]["id"])
