"""Trace tags by release: when, which, and that the owners' own tags stay."""

from typing import Any

import pytest

from delivery.adapters.mesh.istio import tags
from delivery.model.ids import target_id
from delivery.model.place import object_name
from delivery.model.policy import RateLimit, TrafficPolicy
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Match, Mirror, Rule, Traffic
from delivery.model.version import Backend
from delivery.ports.mesh import Route
from delivery.testing.builders import CANDIDATE, STABLE

NEW = Backend("checkout", CANDIDATE)
POD = {"app": "c", "tier": "front"}


def route(traffic: Traffic, candidate: Backend | None = NEW) -> Route:
    return Route(target_id("checkout", "prod"), "checkout", Backend("checkout", STABLE), candidate, traffic, "7")


def theirs(name: str, tracing: list[dict[str, Any]], born: str = "2026-01-01T00:00:00Z", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "creationTimestamp": born}
    return {"metadata": metadata, "spec": {"tracing": tracing, **spec}}


def literal(value: str) -> dict[str, Any]:
    return {"literal": {"value": value}}


@pytest.mark.parametrize(
    ("traffic", "wanted"),
    [
        (ALL_STABLE, False),
        (Traffic(weight=5), True),
        (Traffic(mirror=Mirror(10)), True),
        (Traffic(rules=(Rule("beta", (Match(path="/beta"),)),)), True),
        (Traffic(weight=100, policy=TrafficPolicy(rate_limit=RateLimit(1, 1_000_000))), True),  # type: ignore[arg-type]
        (ALL_CANDIDATE, False),
    ],
)
def test_only_a_candidate_that_has_a_part_is_told_apart(traffic: Traffic, wanted: bool) -> None:
    assert tags.wanted(route(traffic)) == wanted
    assert not tags.wanted(route(traffic, None))
    assert not tags.wanted(route(traffic, Backend("checkout", CANDIDATE, home=True)))


def test_it_selects_the_candidate_and_names_release_and_version() -> None:
    found = tags.document(route(Traffic(weight=5)), NEW, "shop", {"app": "c"}, {})
    assert found["metadata"]["name"] == object_name(NEW)
    assert found["metadata"]["annotations"] == {"progressive-delivery/target": "checkout@prod"}
    assert tags.told(NEW) == f"Telemetry/{object_name(NEW)}"
    assert found["spec"] == {
        "selector": {"matchLabels": {"app": "c"}},
        "tracing": [{"customTags": {"delivery.release": literal("checkout#7"), "delivery.version": literal("1.4.2")}}],
    }


def test_what_its_owners_tag_spans_with_stays() -> None:
    root = [
        theirs("mesh", [{"customTags": {"mesh": literal("one")}}]),
        theirs("gateways", [{"customTags": {"x": literal("y")}}], selector={"matchLabels": {"istio": "gateway"}}),
    ]
    local = [
        theirs("waypoints", [{"customTags": {"x": literal("y")}}], targetRefs=[{"kind": "Gateway", "name": "w"}]),
        theirs("other", [{"customTags": {"x": literal("y")}}], selector={"matchLabels": {"app": "other"}}),
        theirs("fronts", [{"customTags": {"tier": literal("front")}}], selector={"matchLabels": {"tier": "front"}}),
        theirs("providers", [{"providers": [{"name": "zipkin"}]}]),
    ]
    found = tags.in_force(root, local, POD)
    assert found == {mode: {"tier": literal("front")} for mode in ("CLIENT", "SERVER")}
    assert tags.in_force(root, local[-1:], POD)["SERVER"] == {"mesh": literal("one")}
    (entry,) = tags.document(route(Traffic(weight=5)), NEW, "shop", {"app": "c"}, found)["spec"]["tracing"]
    assert set(entry["customTags"]) == {"tier", "delivery.release", "delivery.version"}


def test_tags_of_one_direction_stay_in_it() -> None:
    server = theirs("all", [{"match": {"mode": "SERVER"}, "customTags": {"side": literal("server")}}])
    found = tags.in_force((), [server], POD)
    client, told = tags.document(route(Traffic(weight=5)), NEW, "shop", {}, found)["spec"]["tracing"]
    assert (client["match"], told["match"]) == ({"mode": "CLIENT"}, {"mode": "SERVER"})
    assert "side" in told["customTags"]
    assert "side" not in client["customTags"]


def test_those_of_ours_are_nobodys_own() -> None:
    ours = tags.document(route(Traffic(weight=5)), NEW, "shop", {"app": "c"}, {})
    assert tags.in_force((), [ours], POD) == {}
