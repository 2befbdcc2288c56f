import copy
import json

import pytest
from kubernetes.client.exceptions import ApiException

from tests.cluster import objects, wire
from tests.cluster.testbed.api import place
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.process import wait_until

REQUESTS = 1000
SIGMAS = 5  # a false alarm in a million


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> str:
    """Two versions of a service behind the gateway, 80 to 20; returns the host."""
    host = f"{namespace}.example.com"
    for body in (
        objects.deployment(namespace, "shop", "v1", replicas=2),
        objects.deployment(namespace, "shop", "v2"),
        objects.service(namespace, "shop"),
        objects.destination_rule(namespace, "shop", "v1", "v2"),
        objects.virtual_service(namespace, "shop", host, {"v1": 80, "v2": 20}),
    ):
        cluster.api.create(body)
    wait_until("three pods", lambda: sum(map(wire.is_ready, wire.pods(cluster, namespace).values())) == 3, 30)
    wait_until("both versions", lambda: set(wire.send(cluster, host, 10)) == {"v1", "v2"}, 30)
    return host


def routed(cluster: Cluster, namespace: str) -> dict[str, int]:
    """The weights that the proxy has, by subset."""
    found = cluster.gateway.weights(f"main-{namespace}")
    return {cluster_name.split("|")[2]: weight for cluster_name, weight in found.items()}


def expect_shares(cluster: Cluster, namespace: str, host: str, weights: dict[str, int]) -> None:
    """Sends REQUESTS: each is answered, and the pods have counted what the weights say."""
    wait_until("the weights at the proxy", lambda: routed(cluster, namespace) == weights, 10)
    before = wire.served(cluster, namespace)
    answered = wire.send(cluster, host, REQUESTS)
    assert wire.served(cluster, namespace) - before == answered
    assert answered.total() == REQUESTS
    assert set(answered) == set(weights)
    for version, weight in weights.items():
        share = weight / 100
        spread = (REQUESTS * share * (1 - share)) ** 0.5
        assert abs(answered[version] - REQUESTS * share) <= SIGMAS * spread, answered


def test_requests_follow_the_weights_and_their_change(cluster: Cluster, namespace: str, shop: str) -> None:
    rejected = cluster.gateway.rejected()  # of all tests before
    expect_shares(cluster, namespace, shop, {"v1": 80, "v2": 20})
    path = f"{place(objects.virtual_service(namespace, 'shop', shop, {}))}/shop"
    found = cluster.api.get(path)
    found["spec"] = objects.virtual_service(namespace, "shop", shop, {"v1": 50, "v2": 50})["spec"]
    cluster.api.replace(found)
    expect_shares(cluster, namespace, shop, {"v1": 50, "v2": 50})
    assert cluster.gateway.rejected() == rejected


def test_a_write_with_an_old_resource_version_is_refused(cluster: Cluster, namespace: str, shop: str) -> None:
    found = cluster.api.get(f"{place(objects.virtual_service(namespace, 'shop', shop, {}))}/shop")
    newer = copy.deepcopy(found)
    newer["metadata"]["labels"] = {"touched": "yes"}
    cluster.api.replace(newer)
    with pytest.raises(ApiException) as refused:
        cluster.api.replace(found)
    assert refused.value.status == 409


def test_istiods_webhook_refuses_an_invalid_virtual_service(cluster: Cluster, namespace: str) -> None:
    body = objects.virtual_service(namespace, "shop", "invalid.example.com", {"v1": 100})
    cluster.api.create(body, dryRun="All")  # it is the next line that makes it invalid
    body["spec"]["http"][0]["redirect"] = {"uri": "/elsewhere"}
    with pytest.raises(ApiException) as refused:
        cluster.api.create(body)
    assert refused.value.status == 400
    message = json.loads(str(refused.value.body))["message"]
    assert message.startswith('admission webhook "validation.istio.io" denied the request')
    assert "cannot contain both route and redirect" in message
