"""A gateway that ends TLS: it is asked by the server name that users ask for, and its own answer is the proof.

istiod hands out certificates only to proxies that have proven who they are, and the testbed's have not: an EnvoyFilter
puts one in, and all else of the listener is as istiod makes it for a server of protocol HTTPS.
"""

import http.client
import ssl
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from delivery.adapters.kube.objects import ISTIO, path
from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.adapters.mesh.istio.proof import Gateway
from delivery.adapters.mesh.istio.proxies import Fixed
from delivery.model.event import Level
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Traffic
from delivery.ports.errors import Unavailable
from delivery.sandbox.ports import HOST, free_port
from delivery.testing.contracts.mesh_traffic import CANDIDATE, STABLE
from delivery.testing.contracts.mesh_values import RELEASE, Case, make_case
from tests.cluster import istio_world
from tests.cluster.istio_world import IstioWorld
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.gateway import LABELS
from tests.cluster.testbed.istiod import NAMESPACE

FILTER = "networking.istio.io/v1alpha3"
_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"


class Secure:
    """The Gateway object, its port, and users who come that way."""

    def __init__(self, cluster: Cluster, world: IstioWorld) -> None:
        self.world = world
        self.port = free_port()
        self.name = f"{NAMESPACE}/{world.namespace}"
        self._api = cluster.api
        made = cluster.certificates
        self._certificate = {
            "certificate_chain": {"inline_string": made.certificate.read_text()},
            "private_key": {"inline_string": made.key.read_text()},
        }

    def open(self) -> None:
        self._api.create(self._filter())
        self._api.create(self._gateway())

        def bound(found: dict[str, Any]) -> None:
            found["spec"]["gateways"] = [self.name]

        self.world.own("checkout")
        self.world.change_unseen("checkout", bound)

    def close(self) -> None:
        for version, kind in ((ISTIO, "Gateway"), (FILTER, "EnvoyFilter")):
            self._api.delete(path(version, kind, NAMESPACE, self.world.namespace))

    def asked(self, *, tls: bool) -> dict[str, Gateway]:
        """As the server's configuration names it."""
        return {self.name: Gateway(Fixed((f"{HOST}:{self.port}",)), tls)}

    def versions(self, requests: int) -> Counter[str]:
        """Who answers users that come by TLS, each over a connection of their own."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        found: Counter[str] = Counter()
        for _ in range(requests):
            plain = http.client.HTTPConnection(HOST, self.port, timeout=5)
            plain.connect()
            plain.sock = context.wrap_socket(plain.sock, server_hostname=self.world.host("checkout"))
            plain.request("GET", "/", headers={"host": self.world.host("checkout")})
            answer = plain.getresponse()
            found[answer.headers.get("x-version") or str(answer.status)] += 1
            plain.close()
        return found

    def _gateway(self) -> dict[str, Any]:
        server = {
            "port": {"number": self.port, "name": "https", "protocol": "HTTPS"},
            "bind": HOST,
            "hosts": [f"*.{self.world.namespace}.example.com"],
            "tls": {"mode": "SIMPLE", "credentialName": "front"},
        }
        metadata = {"name": self.world.namespace, "namespace": NAMESPACE}
        spec = {"selector": LABELS, "servers": [server]}
        return {"apiVersion": ISTIO, "kind": "Gateway", "metadata": metadata, "spec": spec}

    def _filter(self) -> dict[str, Any]:
        typed = {"@type": _TLS, "common_tls_context": {"tls_certificates": [self._certificate]}}
        other = "inline"  # under istiod's own name it would be joined with where that gets its certificate
        patch = {
            "applyTo": "FILTER_CHAIN",
            "match": {"context": "GATEWAY", "listener": {"portNumber": self.port}},
            "patch": {
                "operation": "MERGE",
                "value": {"transport_socket": {"name": other, "typed_config": typed}},
            },
        }
        metadata = {"name": self.world.namespace, "namespace": NAMESPACE}
        spec = {"workloadSelector": {"labels": LABELS}, "configPatches": [patch]}
        return {"apiVersion": FILTER, "kind": "EnvoyFilter", "metadata": metadata, "spec": spec}


@pytest.fixture
def world(cluster: Cluster, namespace: str, istiods: Istiods) -> Iterator[IstioWorld]:
    yield from istio_world.running(cluster, namespace, istiods)


@pytest.fixture
def secure(cluster: Cluster, world: IstioWorld) -> Iterator[Secure]:
    secure = Secure(cluster, world)
    try:
        secure.open()
        yield secure
    finally:
        secure.close()


def test_a_gateway_with_tls_is_proven_by_its_own_answer(cluster: Cluster, world: IstioWorld, secure: Secure) -> None:
    rejected = cluster.gateway.rejected()  # of all tests before
    world.mesh = world.connect(gateways=secure.asked(tls=True))
    case: Case = make_case(world)
    for traffic, answers in ((ALL_STABLE, {STABLE}), (ALL_CANDIDATE, {CANDIDATE}), (ALL_STABLE, {STABLE})):
        case.shift(traffic)
        assert set(secure.versions(5)) == answers
    case.shift(Traffic(weight=50))
    found = world.mesh.confirm(case.target, RELEASE, case.seq)
    assert (found.proven, found.level, found.proxies) == (True, Level.PROBED, 1)
    assert set(secure.versions(40)) == {STABLE, CANDIDATE}
    world.freeze()
    try:
        case.write(ALL_STABLE)
        with pytest.raises(Unavailable, match="does not answer"):
            world.mesh.confirm(case.target, RELEASE, case.seq)
    finally:
        world.thaw()
    world.until(case.proven)
    assert cluster.gateway.rejected() == rejected


def test_asked_without_tls_it_is_said_that_it_does_not_answer(world: IstioWorld, secure: Secure) -> None:
    right, world.mesh = world.connect(gateways=secure.asked(tls=True)), world.connect(gateways=secure.asked(tls=False))
    case = make_case(world)
    case.write(ALL_STABLE)
    with pytest.raises(Unavailable, match=f"the gateway .*:{secure.port} does not answer"):
        world.mesh.confirm(case.target, RELEASE, case.seq)
    world.until(lambda: right.confirm(case.target, RELEASE, case.seq).proven)
