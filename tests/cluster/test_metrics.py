"""What the Prometheus adapter counts of a gateway that istiod configures, and of the pods behind it, is what they did.

Counted since all was ready: until then the gateway had answers of its own, which count for their versions too.
"""

import time
from collections.abc import Mapping
from typing import Any

import pytest

from delivery.adapters.clock.system import SystemClock
from delivery.gates.deltas import counts
from delivery.model.ids import TargetId, target_id
from delivery.model.place import Isolation, Place, object_name
from delivery.model.series import Sample, Series
from delivery.model.verdict import Counts
from delivery.model.version import Backend, VersionRef
from delivery.ports.metrics import Metrics, Subject
from delivery.registry import METRICS, Surroundings
from tests.cluster import objects, wire
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.process import wait_until

REQUESTS = 120
TARGET = target_id("shop", "prod")
VERSIONS = {version: Subject(TARGET, Backend("shop", VersionRef(version, version))) for version in ("v1", "v2")}


@pytest.fixture(params=list(Isolation))
def shop(request: pytest.FixtureRequest, cluster: Cluster, namespace: str) -> Place:
    """Two versions behind the gateway, half and half, as our objects name them; every second answer of v2 is a 500."""
    failing = objects.deployment(namespace, "shop", "v2")
    failing["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "FAULTS", "value": "fail-every=2"})
    bodies = [objects.deployment(namespace, "shop", "v1"), failing, objects.service(namespace, "shop")]
    host = f"{namespace}.example.com"
    names = {version: object_name(subject.backend) for version, subject in VERSIONS.items()}
    if request.param is Isolation.SUBSET:
        rule = objects.destination_rule(namespace, "shop", "v1", "v2")
        for subset in rule["spec"]["subsets"]:
            subset["name"] = names[subset["name"]]
        bodies += [rule, objects.virtual_service(namespace, "shop", host, dict.fromkeys(names.values(), 50))]
    else:
        for version, name in names.items():
            own = objects.service(namespace, "shop")
            own["metadata"]["name"] = name
            own["spec"]["selector"]["version"] = version
            bodies.append(own)
        route = objects.virtual_service(namespace, "shop", host, {})
        route["spec"]["http"][0]["route"] = [
            {"destination": {"host": objects.fqdn(name, namespace)}, "weight": 50} for name in names.values()
        ]
        bodies.append(route)
    for body in bodies:
        cluster.api.create(body)
    wait_until("both versions", lambda: {"v1", "500"} <= set(wire.send(cluster, host, 10)), 60)
    return Place(namespace, "shop", "shop", isolation=request.param)


def adapter(cluster: Cluster, place: Place, **options: object) -> Metrics:
    """As the server's configuration makes it."""

    def locate(target: TargetId) -> Place:
        assert target == TARGET
        return place

    return METRICS["prometheus"](Surroundings("prod", SystemClock(), locate), url=cluster.prometheus.url, **options)


Since = Mapping[str, Mapping[str, Series]]


def counted(metrics: Metrics, since: Since) -> dict[str, Counts]:
    """What each version did since then; nothing where it cannot be read."""
    samples = metrics.sample(list(VERSIONS.values()))
    found = {version: samples[subject] for version, subject in VERSIONS.items()}
    return {version: counts(since.get(version, {}), one) for version, one in found.items() if isinstance(one, Sample)}


def base(metrics: Metrics) -> Since:
    """The counters, once they have rested for some scrapes."""
    until, rested, known = time.monotonic() + 60, time.monotonic(), None
    while time.monotonic() < until:
        samples = metrics.sample(list(VERSIONS.values()))
        now = {version: one.series for version, of in VERSIONS.items() if isinstance(one := samples[of], Sample)}
        if now != known or len(now) < len(VERSIONS):
            known, rested = now, time.monotonic()
        elif time.monotonic() - rested > 4:
            return now
        time.sleep(0.2)
    raise AssertionError(f"the counters do not rest: {known}")


TEMPLATES: list[dict[str, Any]] = [
    {"template": "istio_envoy"},
    {"template": "http_requests_total", "labels": {"namespace": "{namespace}", "version": "{version}"}},
]


def test_the_gateway_s_own_counters_and_the_pods_agree_with_the_wire(cluster: Cluster, shop: Place) -> None:
    read = [adapter(cluster, shop, **options) for options in TEMPLATES]
    since = [base(metrics) for metrics in read]
    answered = wire.send(cluster, f"{shop.namespace}.example.com", REQUESTS)
    wanted = {"v1": (answered["v1"], 0), "v2": (answered["v2"] + answered["500"], answered["500"])}
    assert 0 < answered["500"] < REQUESTS
    for metrics, begun in zip(read, since, strict=True):

        def told(metrics: Metrics = metrics, begun: Since = begun) -> dict[str, tuple[int, int]]:
            return {version: (one.requests, one.errors) for version, one in counted(metrics, begun).items()}

        until = time.monotonic() + 30
        while told() != wanted and time.monotonic() < until:
            time.sleep(0.2)
        assert told() == wanted


def test_the_gateway_tells_how_long_requests_took(cluster: Cluster, shop: Place) -> None:
    metrics = adapter(cluster, shop, template="istio_envoy")

    def timed() -> dict[int, int]:
        one = counted(metrics, {}).get("v1")
        return dict(one.slow) if one else {}

    wait_until("the histogram", lambda: timed().get(60_000) == 0 and timed().get(1) is not None, 30)
