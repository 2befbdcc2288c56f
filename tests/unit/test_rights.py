"""The rights that `check` asks for: those that a plan needs, and all that are published, in docs and in the chart."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.adoption import rights
from delivery.model.finding import Weight
from delivery.model.ids import SECOND, Micros
from delivery.model.place import Isolation, Mode, Place
from delivery.model.plan import Plan
from delivery.model.policy import CircuitBreaker, Jwt, RateLimit, TrafficPolicy
from delivery.model.traffic import Match, Rule, Traffic
from delivery.ports.errors import Unavailable
from delivery.testing.builders import a_hook, a_plan, a_stage

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "chart" / "templates" / "_rights.tpl"
LIMITS = TrafficPolicy(rate_limit=RateLimit(10, Micros(SECOND)), circuit_breaker=CircuitBreaker(max_requests=5))
PREVIEW = Rule("preview", (Match(path="/beta"),), jwt=Jwt("https://id.example", "{}"))
WIDEST = a_plan(a_stage(5, traffic=Traffic(weight=5, policy=LIMITS, rules=(PREVIEW,))), a_stage(50))
PLACES = [
    Place("shop", "checkout", "checkout", mode, isolation, candidate="checkout-{version}")
    for mode in Mode
    for isolation in Isolation
]


class Reviews:
    """An API server that answers what an account may: nothing of what is left out."""

    def __init__(self, *lacks: tuple[str, str]) -> None:
        self.lacks = set(lacks)
        self.asked: set[tuple[str, str, str, str]] = set()

    def create(self, review: Mapping[str, Any]) -> Any:
        asked = review["spec"]["resourceAttributes"]
        self.asked.add((asked["namespace"], asked["group"], asked["resource"], asked["verb"]))
        return {"status": {"allowed": (asked["resource"], asked["verb"]) not in self.lacks}}


def granted(rules: Iterable[Mapping[str, Any]]) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def documented(name: str, *kinds: str) -> set[tuple[str, str, str]]:
    text = (ROOT / "docs" / name).read_text().split("```yaml\n# rights", 1)[1].split("```", 1)[0]
    bodies = yaml.safe_load_all(text.partition("\n")[2])
    return granted(rule for body in bodies if body["kind"] in kinds for rule in body["rules"])


def charted() -> set[tuple[str, str, str]]:
    """All that the widest profile of the chart has."""
    lines = [line for line in CHART.read_text().splitlines() if line.startswith("- {apiGroups")]
    return granted(yaml.safe_load("\n".join(lines)))


def asked(place: Place, plan: Plan = WIDEST) -> tuple[set[tuple[str, str, str]], set[tuple[str, str, str]]]:
    """In the namespace, and in the whole cluster."""
    api = Reviews()
    rights.findings(api, place, plan)  # type: ignore[arg-type]
    return (
        {(group, resource, verb) for where, group, resource, verb in api.asked if where},
        {(group, resource, verb) for where, group, resource, verb in api.asked if not where},
    )


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.mode}-{place.isolation}")
def test_whatever_is_asked_for_is_published(place: Place) -> None:
    here, everywhere = asked(place)
    clusterwide = documented("istio.md", "ClusterRole") | documented("workloads.md", "ClusterRole")
    assert here <= documented("istio.md", "Role") | documented("workloads.md", "Role") | clusterwide
    assert everywhere <= clusterwide
    assert here <= charted()


def test_all_that_the_mesh_is_given_is_asked_for_by_some_plan() -> None:
    found = set[tuple[str, str, str]]().union(*(asked(place)[0] for place in PLACES))
    assert documented("istio.md", "Role") <= found


def test_a_plan_without_limits_needs_none_of_their_rights() -> None:
    here, _ = asked(PLACES[0], a_plan())
    assert not {resource for _, resource, _ in here} & {"envoyfilters", "destinationrules", "requestauthentications"}


def test_what_is_missing_is_named_by_its_verbs_and_tags_alone_stop_nothing() -> None:
    api = Reviews(
        ("envoyfilters", "create"), ("envoyfilters", "delete"), ("telemetries", "create"), ("services", "get")
    )
    found = {one.subject: one for one in rights.findings(api, PLACES[0], WIDEST)}  # type: ignore[arg-type]
    assert found["envoyfilters in shop"].weight is Weight.WARNS
    assert "may not create, delete: a worker" in found["envoyfilters in shop"].text
    assert "may not get: a worker" in found["services in shop"].text
    assert found["telemetries in shop"].weight is Weight.SAYS
    assert "`trace_tags`" in found["telemetries in shop"].text
    assert len(found) == 3
    watch = Reviews(("virtualservices", "watch"))
    (one,) = rights.findings(watch, PLACES[0], WIDEST)  # type: ignore[arg-type]
    assert one.subject == "virtualservices in the whole cluster"


def test_rights_that_cannot_be_asked_for_are_no_rights_that_are_missing() -> None:
    class Away(Reviews):
        def create(self, review: Mapping[str, Any]) -> Any:
            raise Unavailable("no route to host")

    (one,) = rights.findings(Away(), PLACES[0], WIDEST)  # type: ignore[arg-type]
    assert "could not be asked for: no route to host" in one.text


def test_a_copy_of_stable_asks_for_what_copies_need_also_beside_versions_of_ci() -> None:
    compared = a_plan(a_stage(5, traffic=Traffic(weight=5, baseline=5)))
    versioned, cloned = (
        Place("shop", "shop", "shop", mode, candidate="shop-{version}") for mode in (Mode.VERSIONED, Mode.CLONE)
    )
    assert ("apps", "deployments", "create") not in asked(versioned, a_plan())[0]
    here = asked(versioned, compared)[0]
    assert asked(cloned, compared)[0] == asked(cloned, a_plan())[0] <= here
    assert here <= charted()


def test_jobs_of_hooks_ask_for_what_their_page_publishes() -> None:
    plan = a_plan(hooks=(a_hook(kind="job", params={"template": "checkout-migrate"}),))
    wider, _ = asked(PLACES[0], plan)
    more = wider - asked(PLACES[0], a_plan(hooks=(a_hook(),)))[0]
    assert {group for group, _, _ in more} == {"batch"}
    assert more <= documented("hooks.md", "Role")
