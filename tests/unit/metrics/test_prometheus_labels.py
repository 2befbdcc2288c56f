"""How versions, and all versions of a service, are found by what they are called."""

import re

import pytest

from delivery.adapters.metrics.prometheus.past import SERVICES
from delivery.adapters.metrics.prometheus.subjects import values
from delivery.adapters.metrics.prometheus.templates import TEMPLATES
from delivery.model.ids import target_id
from delivery.model.place import Isolation, Mode, Place, deployments_of, object_name
from delivery.model.version import Backend, Lane, VersionRef
from delivery.ports.metrics import Subject

BACKEND = Backend("checkout", VersionRef("1.4.2", "sha256:9f2c"))
OURS = object_name(BACKEND)


def found(template: str, value: str) -> bool:
    """Whether the past of checkout has what a label says; as Prometheus matches it, and as it is read again."""
    (label,) = SERVICES[template][0]
    matcher = label.matcher(frozenset(("checkout",)))
    pattern = matcher.partition("=")[2].lstrip("~")[1:-1].replace("\\\\", "\\")
    exact = "=~" not in matcher
    matched = pattern == value if exact else bool(re.fullmatch(pattern, value))
    assert matched is (label.told(value) == "checkout")
    return matched


@pytest.mark.parametrize(
    ("template", "value", "ours"),
    [
        ("istio", "checkout", True),
        ("istio", OURS, True),
        ("istio", "checkout-api", False),
        ("istio", f"{OURS}-mirror", False),
        ("istio_envoy", "outbound|80||checkout.shop.svc.cluster.local", True),
        ("istio_envoy", f"outbound|8080|{OURS}|checkout.shop.svc.cluster.local;", True),
        ("istio_envoy", f"outbound|80||{OURS}.shop.svc.cluster.local", True),
        ("istio_envoy", f"outbound|80||{OURS}-mirror.shop.svc.cluster.local", False),
        ("istio_envoy", "outbound|80||checkout-api.shop.svc.cluster.local", False),
        ("istio_envoy", "inbound|80||checkout.shop.svc.cluster.local", False),
        ("envoy", "checkout_1-4-2", True),
        ("envoy", "checkout", True),
        ("envoy", "checkout_1-4-2_mirror", False),
        ("envoy", "checkouts_1-4-2", False),
        ("opentelemetry", "checkout", True),
        ("opentelemetry", "shop/checkout", True),
        ("opentelemetry", "shop-checkout", False),
        ("http_requests_total", "checkout", True),
        ("http_requests_total", "checkout-api", False),
    ],
)
def test_all_versions_of_a_service_and_no_other_s(template, value, ours):
    assert found(template, value) is ours


@pytest.mark.parametrize(
    ("place", "home", "wanted"),
    [
        (Place("shop", "checkout", "checkout"), False, (OURS,)),
        (Place("shop", "checkout-main", "checkout"), True, ("checkout-main",)),
        (
            Place("shop", "checkout", "checkout", Mode.VERSIONED, candidate="checkout-{version}"),
            False,
            ("checkout-1-4-2", "checkout-1.4.2"),
        ),
        (Place("shop", "checkout", "checkout", Mode.VERSIONED), False, (OURS,)),
    ],
)
def test_the_deployment_of_a_version(place, home, wanted):
    assert deployments_of(place, Backend("checkout", BACKEND.version, home)) == wanted


def test_a_copy_of_a_version_is_in_a_deployment_of_ours():
    place = Place("shop", "checkout", "checkout", Mode.VERSIONED, candidate="checkout-{version}")
    copy = Backend("checkout", BACKEND.version.copy_for("rel_1"))
    assert deployments_of(place, copy) == (object_name(copy),) != (OURS,)


@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize("isolation", list(Isolation))
def test_every_template_can_name_every_version_in_every_lane(lane, isolation):
    place = Place("shop", "checkout", "checkout", isolation=isolation)
    (told,) = values(Subject(target_id("checkout", "prod"), BACKEND, lane), place)
    for template in TEMPLATES.values():
        assert template.places() <= set(told)
        view = template.view(lane, isolation)
        assert view.labels
        assert view.requests.metric
