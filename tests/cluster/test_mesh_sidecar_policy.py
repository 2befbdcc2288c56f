"""What only the candidate's own sidecars can do: a rate limit, and the token of a preview, on a real inbound sidecar.

Nothing intercepts the pod's traffic here: a Sidecar object has its Envoy listen on a port of its own, and the version's
Service leads there.
"""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from delivery.adapters.kube.objects import ISTIO, path
from delivery.adapters.mesh.istio import guards
from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.model.ids import HOUR
from delivery.model.place import object_name
from delivery.model.policy import RateLimit, TrafficPolicy
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Rule, Traffic
from delivery.model.version import Backend, VersionRef
from delivery.sandbox.envoy import find_envoy
from delivery.testing.contracts import tokens
from delivery.testing.contracts.mesh_policy import TESTED, matched
from delivery.testing.contracts.mesh_traffic import CANDIDATE, STABLE
from delivery.testing.contracts.mesh_values import Case, publish
from tests.cluster import objects, sidecar, wire
from tests.cluster.istio_world import IstioWorld
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.gateway import bootstrap
from tests.cluster.testbed.process import Process

INBOUND = 9080
ADMIN = 15000


class SidecarWorld(IstioWorld):
    def run_with_sidecar(self, service: str, version: str) -> Backend:
        """A version whose pod has a sidecar, as its template says; `inbound` is what makes it true."""
        backend = Backend(service, VersionRef(version, version))
        name = object_name(backend)
        labels = {"app": name, "version": version}
        deployment = objects.deployment(self.namespace, service, version, annotations={"linger": "0"})
        deployment["metadata"]["name"] = name
        deployment["spec"]["selector"] = {"matchLabels": labels}
        template = deployment["spec"]["template"]
        template["metadata"]["labels"] = labels
        template["spec"]["containers"].append({"name": "istio-proxy", "image": "proxy:1"})
        owned = objects.service(self.namespace, name)
        owned["spec"]["ports"][0]["targetPort"] = INBOUND
        for body in (self._plain(), owned, deployment, self._sidecar(name, labels)):
            self.ensure(body)
        self.until(lambda: any(wire.is_ready(pod) for pod in self._pods(backend)))
        return backend

    def _plain(self) -> dict[str, Any]:
        """No mTLS: there is no authority here that would sign a certificate, and its listener would wait for one."""
        metadata = {"name": "default", "namespace": self.namespace}
        spec = {"mtls": {"mode": "DISABLE"}}
        return {
            "apiVersion": "security.istio.io/v1",
            "kind": "PeerAuthentication",
            "metadata": metadata,
            "spec": spec,
        }

    def _sidecar(self, name: str, labels: dict[str, str]) -> dict[str, Any]:
        port = {"number": INBOUND, "protocol": "HTTP", "name": "http"}
        ingress = {"port": port, "defaultEndpoint": f"0.0.0.0:{objects.PORT}", "captureMode": "NONE"}
        return {
            "apiVersion": ISTIO,
            "kind": "Sidecar",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "workloadSelector": {"labels": labels},
                "ingress": [ingress],
                "egress": [
                    {
                        "hosts": ["./*"],
                        "captureMode": "NONE",
                        "port": {"number": 9999, "protocol": "HTTP", "name": "none"},
                    }
                ],
            },
        }

    @contextlib.contextmanager
    def inbound(self, backend: Backend, folder: Path, admin: int = ADMIN) -> Iterator[Process]:
        """The pod's sidecar, for as long as the block runs. All pods share a network: each has its own `admin` port."""
        (pod,) = self._pods(backend)
        network, metadata = self.testbed.network, pod["metadata"]
        with sidecar.forwarding(network.host, self.testbed.istiod.xds) as port:
            found = bootstrap(admin, port)
            name = f"{metadata['name']}.{self.namespace}"
            found["node"]["id"] = f"sidecar~{pod['status']['podIP']}~{name}~{self.namespace}.svc.cluster.local"
            found["node"]["metadata"] |= {
                "NAMESPACE": self.namespace,
                "INTERCEPTION_MODE": "NONE",
                "LABELS": metadata["labels"],
            }
            (istiod,) = found["static_resources"]["clusters"]
            endpoint = istiod["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
            endpoint["address"]["socket_address"]["address"] = network.host
            at = folder / f"inbound-{admin}.json"
            at.write_text(json.dumps(found))
            # Connections that are there keep the old filters until they are drained: Istio's own 45 s are long here.
            drains = ("--drain-time-s", "1", "--drain-strategy", "immediate")
            options = ("--disable-hot-restart", "--log-level", "warning", "--concurrency", "1", *drains)
            envoy = Process(
                "inbound",
                network.inside([find_envoy(), "-c", str(at), *options]),
                folder / f"inbound-{admin}.log",
            )
            try:
                yield envoy
            finally:
                envoy.kill()


@pytest.fixture
def world(cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[SidecarWorld]:
    world = SidecarWorld(cluster, namespace, istiods)
    try:
        yield world
    finally:
        world.close()


@pytest.fixture
def case(world: SidecarWorld, tmp_path: Path) -> Iterator[Case]:
    """Stable has no sidecar, the candidate has one."""
    stable, candidate = world.run("checkout", STABLE), world.run_with_sidecar("checkout", CANDIDATE)
    with world.inbound(candidate, tmp_path):
        made = Case(world, "checkout", stable, candidate)
        for backend in (stable, candidate):
            publish(world, made.target, backend)
        made.shift(ALL_CANDIDATE)
        world.until(lambda: made.versions(1) == {CANDIDATE})
        made.shift(ALL_STABLE)
        yield made


def test_a_rate_limit_turns_away_what_is_too_much_for_the_candidate_alone(world: SidecarWorld, case: Case) -> None:
    asked = len(world.asked(case.candidate).users)
    limit = TrafficPolicy(rate_limit=RateLimit(30, HOUR))
    case.shift(Traffic(weight=50, rules=(Rule("beta", TESTED),), policy=limit))
    world.until(lambda: {reply.status for reply in case.send(40, matched(case, ""))} == {429})
    assert len(world.asked(case.candidate).users) - asked >= 30
    before = len(world.asked(case.candidate).users)
    found = Counter((reply.status, reply.version) for reply in case.send(200))
    assert found.keys() == {(200, STABLE), (429, None)}
    assert 60 < found[200, STABLE] < 140
    assert len(world.asked(case.candidate).users) == before
    case.shift(Traffic(weight=50))
    world.until(lambda: {reply.status for reply in case.send(20)} == {200})
    assert beside(world) == []


def test_a_preview_is_refused_without_its_token(world: SidecarWorld, case: Case) -> None:
    case.shift(Traffic(rules=(Rule("preview", TESTED, jwt=tokens.JWT),)))
    world.until(lambda: case.send(1, matched(case, ""))[0].status in (401, 403))
    world.until(lambda: case.versions(1, matched(case, tokens.GOOD)) == {CANDIDATE})
    before = len(world.asked(case.candidate).users)
    for token in ("", tokens.OTHER_ISSUER, tokens.OTHER_AUDIENCE, tokens.FORGED, "a.b.c"):
        assert {reply.status for reply in case.send(5, matched(case, token))} <= {401, 403}, token
    assert len(world.asked(case.candidate).users) == before
    assert case.versions(10, matched(case, tokens.GOOD)) == {CANDIDATE}
    assert case.versions(10) == {STABLE}
    case.shift(ALL_CANDIDATE)
    world.until(lambda: case.versions(10) == {CANDIDATE})
    assert case.versions(10, matched(case, "")) == {CANDIDATE}
    assert beside(world) == []


def test_what_stands_beside_the_routes_goes_with_the_version(world: SidecarWorld, case: Case) -> None:
    limit = TrafficPolicy(rate_limit=RateLimit(1000, HOUR))
    case.shift(Traffic(rules=(Rule("preview", TESTED, jwt=tokens.JWT),), policy=limit))
    assert beside(world) == [guards.LIMIT, guards.TOKEN, guards.DENIAL]
    case.shift(ALL_STABLE)
    world.mesh.withdraw(case.target, case.candidate)
    assert beside(world) == []


def beside(world: IstioWorld) -> list[str]:
    return [
        kind
        for kind, version in guards.VERSIONS.items()
        if world.testbed.api.get(path(version, kind, world.namespace))["items"]
    ]
