"""Trace tags by release: what the candidate's sidecar runs while it is one, and that nothing waits for it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from delivery.adapters.kube.objects import path
from delivery.adapters.mesh.istio import tags
from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.model.traffic import ALL_STABLE, Traffic
from delivery.testing.contracts.mesh import Case, make_case, publish
from delivery.testing.contracts.mesh_traffic import CANDIDATE, STABLE
from tests.cluster import istio_world, objects
from tests.cluster.istio_world import IstioWorld
from tests.cluster.test_mesh_sidecar_policy import SidecarWorld
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.faults import Answer
from tests.cluster.testbed.istiod import NAMESPACE, TRACES

_ASK = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"
OWNERS = {"team": {"literal": {"value": "shop"}}}


class TracedWorld(SidecarWorld):
    """The namespace's owners have their spans sent somewhere, with a tag of their own."""

    def trace(self) -> None:
        metadata = {"name": "default", "namespace": self.namespace}
        spec = {"tracing": [{"providers": [{"name": TRACES}], "customTags": OWNERS}]}
        self.ensure({"apiVersion": tags.VERSION, "kind": tags.KIND, "metadata": metadata, "spec": spec})

    def _sidecar(self, name: str, labels: dict[str, str]) -> dict[str, Any]:
        found = super()._sidecar(name, labels)
        found["spec"]["egress"][0]["hosts"].append(f"{NAMESPACE}/*")  # else it does not know where spans are sent to
        return found

    def tagged_with(self) -> dict[str, str]:
        """The literal tags that the candidate's sidecar adds to spans of what comes in."""
        url = "http://127.0.0.1:15000/config_dump?resource=dynamic_listeners"
        command = self.testbed.network.inside([sys.executable, "-c", _ASK, url])
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        found: dict[str, str] = {}
        for manager in _managers(json.loads(done.stdout)):
            for tag in (manager.get("tracing") or {}).get("custom_tags") or ():
                if "literal" in tag:
                    found[tag["tag"]] = tag["literal"]["value"]
        return found

    def ours(self) -> list[str]:
        listed = self.testbed.api.get(path(tags.VERSION, tags.KIND, self.namespace))["items"]
        return [one["metadata"]["name"] for one in listed if one["metadata"]["name"] != "default"]


def _managers(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if str(node.get("@type", "")).endswith("HttpConnectionManager"):
            yield node
        for each in node.values():
            yield from _managers(each)
    elif isinstance(node, list):
        for each in node:
            yield from _managers(each)


@pytest.fixture
def traced(cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[TracedWorld]:
    service = objects.service(NAMESPACE, TRACES)
    service["spec"] = {"ports": [{"name": "http", "port": 9411}]}
    cluster.api.create(service)
    world = TracedWorld(cluster, namespace, istiods)
    try:
        world.mesh = world.connect(tagged=True)
        yield world
    finally:
        world.close()
        cluster.api.delete(path("v1", "Service", NAMESPACE, TRACES))


def test_the_candidates_sidecar_tags_its_spans_while_it_is_one(traced: TracedWorld, tmp_path: Path) -> None:
    stable, candidate = traced.run("checkout", STABLE), traced.run_with_sidecar("checkout", CANDIDATE)
    traced.trace()
    with traced.inbound(candidate, tmp_path) as envoy:
        case = Case(traced, "checkout", stable, candidate)
        for backend in (stable, candidate):
            publish(traced, case.target, backend)
        case.shift(Traffic(weight=50))
        wanted = {"team": "shop", "delivery.release": "checkout#7", "delivery.version": CANDIDATE}
        traced.until(lambda: wanted.items() <= traced.tagged_with().items())
        envoy.check()


@pytest.fixture
def world(cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[IstioWorld]:
    yield from istio_world.running(cluster, namespace, istiods)


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_release_goes_on_without_the_kind_or_the_right(cluster: Cluster, world: IstioWorld, status: int) -> None:
    case = make_case(world)
    with cluster.faults() as (proxy, kubeconfig):
        world.mesh = world.connect(kubeconfig=kubeconfig, tagged=True)
        proxy.script.add(Answer(status), "", "/telemetries")
        for traffic in (Traffic(weight=50), ALL_STABLE):
            case.shift(traffic)
        world.mesh.withdraw(case.target, case.candidate)
    assert case.versions() == {STABLE}


def test_without_being_asked_nothing_is_tagged(cluster: Cluster, world: IstioWorld) -> None:
    case = make_case(world)
    with cluster.faults() as (proxy, kubeconfig):
        world.mesh = world.connect(kubeconfig=kubeconfig)
        case.shift(Traffic(weight=50))
        assert "telemetries" not in {resource for _, resource in proxy.script.counts()}
