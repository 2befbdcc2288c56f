"""What the Prometheus adapter counts of a gateway that istiod configures, and of the pods behind it, is what they did."""

import pytest

from delivery.adapters.clock.system import SystemClock
from delivery.gates.deltas import counts
from delivery.model.ids import TargetId, target_id
from delivery.model.place import Isolation, Place, object_name
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


def counted(metrics: Metrics) -> dict[str, Counts | None]:
    samples = metrics.sample(list(VERSIONS.values()))
    return {
        version: counts({}, sample) if (sample := samples[subject]) else None for version, subject in VERSIONS.items()
    }


def test_the_gateway_s_own_counters_and_the_pods_agree_with_the_wire(cluster: Cluster, shop: Place) -> None:
    wire.send(cluster, f"{shop.namespace}.example.com", REQUESTS)
    served = wire.served(cluster, shop.namespace)
    wanted = {"v1": (served["v1"], 0), "v2": (served["v2"], served["v2"] // 2)}
    for options in (
        {"template": "istio_envoy"},
        {"template": "http_requests_total", "labels": {"namespace": "{namespace}", "version": "{version}"}},
    ):
        metrics = adapter(cluster, shop, **options)

        def told(metrics: Metrics = metrics) -> dict[str, tuple[int, int] | None]:
            return {version: one and (one.requests, one.errors) for version, one in counted(metrics).items()}

        wait_until(f"{options['template']}: {wanted}", lambda told=told: told() == wanted, 30)  # type: ignore[misc]


def test_the_gateway_tells_how_long_requests_took(cluster: Cluster, shop: Place) -> None:
    served = wire.served(cluster, shop.namespace)["v1"]
    metrics = adapter(cluster, shop, template="istio_envoy")

    def slow() -> dict[int, int]:
        one = counted(metrics)["v1"]
        return dict(one.slow) if one else {}

    wait_until("the histogram", lambda: slow().get(60_000) == 0 and 0 <= slow().get(1, -1) <= served, 30)
