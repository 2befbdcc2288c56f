"""The node of the testbed does what a test tells it: slow, never ready, crashing, lingering."""

import time

from tests.cluster import objects, wire
from tests.cluster.testbed.api import place
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.process import wait_until


def only_pod(cluster: Cluster, namespace: str) -> dict:
    """The pod of a Deployment of one, once its status is there; none before."""
    return next((pod for pod in wire.pods(cluster, namespace).values() if pod["status"].get("podIP")), {})


def leaving(cluster: Cluster, namespace: str) -> int:
    return sum("deletionTimestamp" in pod["metadata"] for pod in wire.pods(cluster, namespace).values())


def serve(cluster: Cluster, namespace: str, versions: int) -> bool:
    """Whether every pod answers on its own address, ready or not, and they are of so many versions."""
    try:
        return len(wire.served(cluster, namespace)) == versions
    except (OSError, KeyError):  # it has no address yet, or does not listen yet
        return False


def restarts(pod: dict) -> int:
    return pod["status"]["containerStatuses"][0]["restartCount"] if pod else 0


def test_a_slow_pod_is_not_ready_before_its_time(cluster: Cluster, namespace: str) -> None:
    started = time.monotonic()
    cluster.api.create(objects.deployment(namespace, "slow", "v1", annotations={"ready-after": "2"}))
    wait_until("its address", lambda: bool(only_pod(cluster, namespace)), 20)
    assert not wire.is_ready(only_pod(cluster, namespace))
    wait_until("it is ready", lambda: wire.is_ready(only_pod(cluster, namespace)), 20)
    assert time.monotonic() - started >= 2


def test_a_pod_that_is_never_ready_gets_no_request(cluster: Cluster, namespace: str) -> None:
    host = f"{namespace}.example.com"
    for body in (
        objects.deployment(namespace, "shop", "v1"),
        objects.deployment(namespace, "shop", "v2", annotations={"never-ready": "true"}),
        objects.service(namespace, "shop"),
        objects.destination_rule(namespace, "shop", "v1", "v2"),
        objects.virtual_service(namespace, "shop", host, {"v1": 50, "v2": 50}),
    ):
        cluster.api.create(body)
    wait_until("both versions serve", lambda: serve(cluster, namespace, 2), 20)
    # 503: the subset has no endpoint. Both are seen, so the route is there.
    wait_until("v1 answers", lambda: set(wire.send(cluster, host, 20)) == {"v1", "503"}, 20)
    assert set(wire.send(cluster, host, 50)) == {"v1", "503"}
    assert wire.served(cluster, namespace)["v2"] == 0


def test_a_crashing_pod_is_started_again_and_counted(cluster: Cluster, namespace: str) -> None:
    cluster.api.create(objects.deployment(namespace, "crash", "v1", annotations={"crash-after": "0.5"}))
    wait_until("it crashed twice", lambda: restarts(only_pod(cluster, namespace)) >= 2, 30)
    reasons = set()

    def seen() -> bool:
        state = only_pod(cluster, namespace)["status"]["containerStatuses"][0]["state"]
        reasons.add(state.get("waiting", {}).get("reason", "running"))
        return "CrashLoopBackOff" in reasons

    wait_until("it waits for its next start", seen, 20)


def test_a_pod_that_is_deleted_serves_until_the_proxy_has_let_go(cluster: Cluster, namespace: str) -> None:
    host = f"{namespace}.example.com"
    deployment = objects.deployment(namespace, "shop", "v1", replicas=2, annotations={"linger": "2"})
    route = objects.virtual_service(namespace, "shop", host, {"v1": 100})
    route["spec"]["http"][0]["retries"] = {"attempts": 0}  # Istio's two would hide a pod that went too early
    for body in (
        deployment,
        objects.service(namespace, "shop"),
        objects.destination_rule(namespace, "shop", "v1"),
        route,
    ):
        cluster.api.create(body)
    wait_until("two pods", lambda: sum(map(wire.is_ready, wire.pods(cluster, namespace).values())) == 2, 20)
    wait_until("they answer", lambda: set(wire.send(cluster, host, 20)) == {"v1"}, 20)
    asked = time.monotonic()
    cluster.api.patch(f"{place(deployment)}/shop-v1", {"spec": {"replicas": 1}})
    wait_until("one pod is leaving", lambda: leaving(cluster, namespace) == 1, 10)
    assert serve(cluster, namespace, 1)  # one version, from all pods: also from the one that leaves
    failed: list[str] = []

    def one_is_left() -> bool:
        failed.extend(set(wire.send(cluster, host, 20)) - {"v1"})
        return len(wire.pods(cluster, namespace)) == 1

    wait_until("one pod is left", one_is_left, 20)
    assert time.monotonic() - asked >= 2
    assert failed == []
