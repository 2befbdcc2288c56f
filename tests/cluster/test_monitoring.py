"""Prometheus sees what happened on the wire, and istiod's debug endpoint asks strangers who they are."""

import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.cluster import objects, wire
from tests.cluster.testbed import monitoring
from tests.cluster.testbed.accounts import token
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.istiod import DEBUG_NAMESPACE
from tests.cluster.testbed.process import CannotRun, wait_until
from tests.prometheus import Prometheus

AUDIENCE = "istio-ca"
REQUESTS = 200


def test_prometheus_counts_what_the_gateway_sent_and_the_pods_answered(cluster: Cluster, namespace: str) -> None:
    host = f"{namespace}.example.com"
    failing = objects.deployment(namespace, "shop", "v2")
    failing["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "FAULTS", "value": "fail-every=2"})
    for body in (
        objects.deployment(namespace, "shop", "v1"),
        failing,
        objects.service(namespace, "shop"),
        objects.destination_rule(namespace, "shop", "v1", "v2"),
        objects.virtual_service(namespace, "shop", host, {"v1": 50, "v2": 50}),
    ):
        cluster.api.create(body)
    wait_until("both versions", lambda: {"v1", "500"} <= set(wire.send(cluster, host, 10)), 30)
    answered = wire.send(cluster, host, REQUESTS)
    served = wire.served(cluster, namespace)
    assert answered.total() == REQUESTS

    def counted() -> dict[str, float]:
        return {
            version: cluster.prometheus.total(f'http_requests_total{{namespace="{namespace}",version="{version}"}}')
            for version in served
        }

    wait_until("the pods' requests", lambda: counted() == served, 20)

    def upstream(version: str, more: str) -> float:
        name = f"outbound|80|{version}|{objects.fqdn('shop', namespace)}"
        return cluster.prometheus.total(f'envoy_cluster_upstream_rq{{cluster_name="{name}",{more}}}')

    wait_until("the gateway's", lambda: upstream("v1", 'response_code_class="2xx"') == served["v1"], 20)
    wait_until("the failures", lambda: upstream("v2", 'response_code="500"') == served["v2"] // 2, 20)
    wait_until("istiod's", lambda: cluster.prometheus.total("pilot_xds_pushes") > 0, 20)
    assert cluster.prometheus.up(monitoring.PODS) >= 2


def test_a_machine_without_prometheus_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotRun, match=r"no prometheus; .*apt-get install"):
        Prometheus(tmp_path, ()).start()


def asked(url: str, secret: str | None = None) -> int:
    """The status of an answer."""
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {secret}"} if secret else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def test_istiods_debug_endpoint_lets_in_only_those_whose_namespace_may(cluster: Cluster, namespace: str) -> None:
    syncz = f"{cluster.istiod.remote}/debug/syncz"
    assert asked(syncz) == HTTPStatus.UNAUTHORIZED
    assert asked(syncz, token(cluster.api, namespace, "stranger", AUDIENCE)) == HTTPStatus.FORBIDDEN
    assert asked(syncz, token(cluster.api, DEBUG_NAMESPACE, "engine", AUDIENCE)) == HTTPStatus.OK
    assert asked(syncz, token(cluster.api, DEBUG_NAMESPACE, "engine")) == HTTPStatus.UNAUTHORIZED
