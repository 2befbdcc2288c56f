"""What Argo CD would do to a release, read off Applications as its documentation writes them."""

from typing import Any

import pytest
import yaml

from delivery.adapters.mesh.istio import delegate
from delivery.adapters.workloads.argocd.survey import findings
from delivery.model.finding import Finding, Weight
from delivery.model.place import Mode, Place, RouteRef

PLACE = Place("shop", "checkout", "checkout")
ROUTE = {"destination": {"host": "checkout"}}
VS: dict[str, Any] = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "public", "namespace": "shop", "labels": {"team": "pay"}, "resourceVersion": "7"},
    "spec": {
        "hosts": ["shop.example.com"],
        "gateways": ["istio-system/ingress"],
        "http": [{"name": "all", "route": [ROUTE]}],
    },
}
IGNORED = {
    "group": "networking.istio.io",
    "kind": "VirtualService",
    "name": "public",
    "jsonPointers": ["/spec/http"],
}
GOOD = ["RespectIgnoreDifferences=true", "ApplyOutOfSyncOnly=true"]
HEALS = {"selfHeal": True, "prune": True}


def application(
    ignored: object = None, options: object = None, automated: object = None, *more: object
) -> dict[str, Any]:
    policy = {"automated": automated, "syncOptions": options}
    spec: dict[str, Any] = {"syncPolicy": {key: value for key, value in policy.items() if value is not None}}
    if ignored is not None:
        spec["ignoreDifferences"] = [ignored]
    managed = {"group": "networking.istio.io", "kind": "VirtualService", "namespace": "shop", "name": "public"}
    return {
        "metadata": {"name": "checkout", "namespace": "argocd"},
        "spec": spec,
        "status": {"resources": [managed, *more]},
    }


def found(application: dict[str, Any], place: Place = PLACE) -> list[Finding]:
    return list(findings([application], [VS], place))


@pytest.mark.parametrize(
    ("ignored", "options", "automated", "weight", "says"),
    [
        (None, None, HEALS, Weight.BLOCKS, "within seconds"),
        (None, None, {"selfHeal": True, "enabled": False}, Weight.LEAKS, "next sync"),
        (None, None, {}, Weight.LEAKS, "next sync"),
        (None, GOOD, None, Weight.LEAKS, "next sync"),
        ({**IGNORED, "name": "another"}, GOOD, HEALS, Weight.BLOCKS, "within seconds"),
        ({**IGNORED, "namespace": "elsewhere"}, GOOD, HEALS, Weight.BLOCKS, "within seconds"),
        (
            {**IGNORED, "jsonPointers": ["/spec/http/0/route/0/weight"]},
            GOOD,
            HEALS,
            Weight.BLOCKS,
            "ignores only /spec/http/0/route/0/weight",
        ),
        (
            {**IGNORED, "jsonPointers": None, "jqPathExpressions": [".spec.http[].route[].weight"]},
            GOOD,
            HEALS,
            Weight.BLOCKS,
            "not enough",
        ),
        (IGNORED, None, HEALS, Weight.LEAKS, "overwrites them at every sync"),
        (IGNORED, GOOD[:1], HEALS, Weight.WARNS, "at every sync"),
        (IGNORED, GOOD, HEALS, Weight.SAYS, "no longer apply"),
        ({**IGNORED, "name": None}, GOOD, HEALS, Weight.SAYS, "no longer apply"),
        (
            {"group": "*", "kind": "*", "jqPathExpressions": [".spec.http"]},
            GOOD,
            HEALS,
            Weight.SAYS,
            "no longer apply",
        ),
    ],
)
def test_what_is_missing_in_the_application_is_said(ignored, options, automated, weight, says):
    (one,) = found(application(ignored, options, automated))
    assert one.weight is weight
    assert says in one.text
    if weight is not Weight.SAYS:
        remedy = yaml.safe_load(one.remedy)
        assert remedy["spec"]["ignoreDifferences"] == [IGNORED]
        assert remedy["spec"]["syncPolicy"]["syncOptions"] == GOOD


def test_what_it_asks_for_is_enough_once_it_is_there():
    (one,) = found(application(None, None, HEALS))
    remedy = yaml.safe_load(one.remedy)["spec"]
    mended = application(remedy["ignoreDifferences"][0], remedy["syncPolicy"]["syncOptions"], HEALS)
    assert [one.weight for one in found(mended)] == [Weight.SAYS]


def test_replacing_objects_would_take_the_mark_of_a_release_away():
    blocked = found(application(IGNORED, [*GOOD, "Replace=true"], HEALS))
    assert [one.weight for one in blocked] == [Weight.BLOCKS, Weight.SAYS]


def test_the_autoscaler_that_is_kept_up_for_a_revert_is_to_be_left_alone():
    hpa = {"group": "autoscaling", "kind": "HorizontalPodAutoscaler", "namespace": "shop", "name": "checkout"}
    ill = found(application(IGNORED, GOOD, HEALS, hpa))
    assert (ill[1].weight, "minReplicas" in ill[1].text) == (Weight.WARNS, True)
    well = application(IGNORED, GOOD, HEALS, hpa)
    well["spec"]["ignoreDifferences"] += yaml.safe_load(ill[1].remedy)["spec"]["ignoreDifferences"]
    assert [one.weight for one in found(well)] == [Weight.SAYS]


def test_a_version_that_leaves_git_is_pruned_under_its_users():
    place = Place("shop", "checkout", "checkout", Mode.VERSIONED, candidate="checkout-{version}")
    old = {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "checkout-1-4-1"}
    assert "prunes" in found(application(IGNORED, GOOD, HEALS, old), place)[1].text
    assert len(found(application(IGNORED, GOOD, {}, old), place)) == 1


def test_a_root_and_its_delegate_have_all_that_was_there():
    pair = delegate.split(VS, PLACE, "checkout")
    assert pair is not None
    root, routes = pair
    assert routes["spec"] == {"http": VS["spec"]["http"]}
    assert root["metadata"] == {"name": "public", "namespace": "shop", "labels": {"team": "pay"}}
    (entry,) = root["spec"]["http"]
    assert entry["delegate"] == routes["metadata"] == {"name": "public-release", "namespace": "shop"}
    assert (root["spec"]["hosts"], root["spec"]["gateways"]) == (VS["spec"]["hosts"], VS["spec"]["gateways"])


def test_routes_of_others_stay_in_the_root_and_in_their_order():
    cart = {"name": "cart", "route": [{"destination": {"host": "cart"}}]}
    more = {"name": "more", "route": [ROUTE]}
    between = {**VS, "spec": {**VS["spec"], "http": [cart, VS["spec"]["http"][0], more, cart]}}
    pair = delegate.split(between, PLACE, "checkout")
    assert pair is not None
    assert [one["name"] for one in pair[0]["spec"]["http"]] == ["cart", "release", "cart"]
    assert [one["name"] for one in pair[1]["spec"]["http"]] == ["all", "more"]
    mixed = {**VS, "spec": {**VS["spec"], "http": [VS["spec"]["http"][0], cart, more]}}
    assert delegate.split(mixed, PLACE, "checkout") is None
    named = Place("shop", "checkout", "checkout", routes=(RouteRef("public", ("all",)),))
    pair = delegate.split(mixed, named, "checkout")
    assert pair is not None
    assert [one["name"] for one in pair[1]["spec"]["http"]] == ["all"]


def test_what_is_a_delegate_already_is_left_alone():
    inner = {**VS, "spec": {"http": VS["spec"]["http"]}}
    assert delegate.split(inner, PLACE, "checkout") is None
