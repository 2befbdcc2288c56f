"""Trace tags by release: what real sidecars run and send while users ask, and that no release waits for it."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from delivery.adapters.kube.objects import path
from delivery.adapters.mesh.istio import tags
from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.model.place import object_name
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Traffic
from delivery.testing.contracts.mesh_traffic import CANDIDATE, STABLE
from delivery.testing.contracts.mesh_values import Case, make_case, publish
from tests.cluster import istio_world
from tests.cluster.collector import Collector, collecting
from tests.cluster.istio_world import IstioWorld
from tests.cluster.test_mesh_sidecar_policy import ADMIN, SidecarWorld
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.faults import Answer
from tests.cluster.testbed.istiod import NAMESPACE, TRACES, TRACES_PORT

_ASK = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"
OWNERS = {"team": {"literal": {"value": "shop"}}}
STABLES_ADMIN = ADMIN + 1
OURS = {"delivery.release": "checkout#7", "delivery.version": CANDIDATE}


class TracedWorld(SidecarWorld):
    """The namespace's owners have all their spans sent somewhere, with a tag of their own."""

    def trace(self) -> None:
        metadata = {"name": "default", "namespace": self.namespace}
        tracing = {"providers": [{"name": TRACES}], "randomSamplingPercentage": 100, "customTags": OWNERS}
        self.ensure(
            {"apiVersion": tags.VERSION, "kind": tags.KIND, "metadata": metadata, "spec": {"tracing": [tracing]}}
        )

    def _sidecar(self, name: str, labels: dict[str, str]) -> dict[str, Any]:
        found = super()._sidecar(name, labels)
        # By its port: a listener of another port brings no cluster, and Envoy refuses one that sends spans to none.
        port = {"number": TRACES_PORT, "protocol": "HTTP", "name": "traces"}
        found["spec"]["egress"].append({"hosts": [f"{NAMESPACE}/*"], "captureMode": "NONE", "port": port})
        return found

    def await_tracing(self, admin: int) -> None:
        """Returns when a sidecar has begun to send spans as its owners want."""
        self.until(lambda: self._listeners(admin) != "")
        self.until(lambda: self.tagged_with(admin).get("team") == "shop")

    def tagged_with(self, admin: int = ADMIN) -> dict[str, str]:
        """The literal tags that a sidecar adds to spans, by the listeners that it runs; fails if it has refused any."""
        found: dict[str, str] = {}
        for listener in json.loads(self._listeners(admin)).get("configs") or ():
            assert "error_state" not in listener, listener["error_state"]["details"]
            for manager in _managers(listener.get("active_state")):
                for tag in (manager.get("tracing") or {}).get("custom_tags") or ():
                    if "literal" in tag:
                        found[tag["tag"]] = tag["literal"]["value"]
        return found

    def _listeners(self, admin: int) -> str:
        """As Envoy's config_dump has them; nothing where it does not answer."""
        url = f"http://127.0.0.1:{admin}/config_dump?resource=dynamic_listeners"
        command = self.testbed.network.inside([sys.executable, "-c", _ASK, url])
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20).stdout

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
def collector(cluster: Cluster) -> Iterator[Collector]:
    with collecting(cluster) as started:
        yield started


@pytest.fixture
def traced(cluster: Cluster, namespace: str, istiods: Istiods, collector: Collector) -> Iterator[TracedWorld]:
    world = TracedWorld(cluster, namespace, istiods)
    try:
        world.mesh = world.connect(tagged=True)
        yield world
    finally:
        world.close()


@pytest.fixture
def case(traced: TracedWorld, tmp_path: Path) -> Iterator[Case]:
    """Both versions have sidecars, which send spans before there is a candidate."""
    traced.own("checkout")
    stable, candidate = (traced.run_with_sidecar("checkout", version) for version in (STABLE, CANDIDATE))
    traced.trace()
    made = Case(traced, "checkout", stable, candidate)
    with traced.inbound(stable, tmp_path, STABLES_ADMIN), traced.inbound(candidate, tmp_path):
        for backend in (stable, candidate):
            publish(traced, made.target, backend)
        for admin in (ADMIN, STABLES_ADMIN):
            traced.await_tracing(admin)
        made.shift(ALL_STABLE)
        traced.until(lambda: made.versions() == {STABLE})
        yield made


def test_requests_follow_the_split_and_the_candidates_spans_alone_tell_the_release(
    traced: TracedWorld, case: Case, collector: Collector
) -> None:
    case.shift(Traffic(weight=50))
    traced.until(lambda: traced.tagged_with().items() >= OURS.items())
    assert not OURS.keys() & traced.tagged_with(STABLES_ADMIN).keys()
    traced.until(lambda: case.versions() == {STABLE, CANDIDATE})
    found = Counter((reply.status, reply.version) for reply in case.send(200))
    assert found.keys() == {(200, STABLE), (200, CANDIDATE)}
    assert 60 < found[200, STABLE] < 140
    stable, candidate = (object_name(backend) for backend in (case.stable, case.candidate))
    told = OURS | {"team": "shop"}
    traced.until(lambda: sum(one.items() >= told.items() for one in collector.tags(candidate)) >= found[200, CANDIDATE])
    traced.until(lambda: len(collector.tags(stable)) >= found[200, STABLE])
    assert all(one["team"] == "shop" and not OURS.keys() & one.keys() for one in collector.tags(stable))


def test_the_tags_go_at_the_sidecar_with_the_release(traced: TracedWorld, case: Case) -> None:
    case.shift(Traffic(weight=50))
    traced.until(lambda: traced.tagged_with().items() >= OURS.items())
    case.shift(ALL_CANDIDATE)
    assert traced.ours() == []
    traced.until(lambda: not OURS.keys() & traced.tagged_with().keys())
    assert traced.tagged_with()["team"] == "shop"
    traced.until(lambda: case.versions() == {CANDIDATE})
    case.shift(Traffic(weight=50))
    traced.until(lambda: traced.tagged_with().items() >= OURS.items())
    case.shift(ALL_STABLE)
    assert len(traced.ours()) == 1, "whoever only lowers takes nothing away first"
    traced.mesh.withdraw(case.target, case.candidate)
    assert traced.ours() == []
    traced.until(lambda: not OURS.keys() & traced.tagged_with().keys())
    assert case.versions() == {STABLE}


def test_no_request_fails_while_tags_come_and_go(traced: TracedWorld, case: Case) -> None:
    with traced.load("checkout") as users:
        case.shift(Traffic(weight=50))
        traced.until(lambda: traced.tagged_with().items() >= OURS.items())
        users.wait(400)
        case.shift(ALL_CANDIDATE)
        traced.until(lambda: not OURS.keys() & traced.tagged_with().keys())
        users.wait(400)
        assert not users.failed


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
