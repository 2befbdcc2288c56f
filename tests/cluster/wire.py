"""Requests through the gateway, counted where they are answered."""

import contextlib
import http.client
import json
import urllib.request
from collections import Counter

from delivery.sandbox.ports import HOST
from tests.cluster.objects import PORT
from tests.cluster.testbed.cluster import Cluster

SECONDS = 5


def send(cluster: Cluster, host: str, requests: int) -> Counter[str]:
    """Sends so many, one after the other, and counts the versions that answered; any answer but 200 by its status."""
    answered: Counter[str] = Counter()
    with contextlib.closing(http.client.HTTPConnection(HOST, cluster.gateway.port, timeout=SECONDS)) as connection:
        for _ in range(requests):
            connection.request("GET", "/", headers={"host": host})
            answer = connection.getresponse()
            answer.read()
            answered[answer.headers["x-version"] if answer.status == 200 else str(answer.status)] += 1
    return answered


def pods(cluster: Cluster, namespace: str) -> dict[str, dict]:
    """The pods of a namespace by name."""
    listed = cluster.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return {pod["metadata"]["name"]: pod for pod in listed}


def served(cluster: Cluster, namespace: str) -> Counter[str]:
    """How many requests each version has had so far, as its pods have counted them."""
    counts: Counter[str] = Counter()
    for pod in pods(cluster, namespace).values():
        with urllib.request.urlopen(f"http://{pod['status']['podIP']}:{PORT}/_stats", timeout=SECONDS) as answer:
            stats = json.load(answer)
        counts[stats["version"]] += stats["requests"]
    return counts


def is_ready(pod: dict) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
