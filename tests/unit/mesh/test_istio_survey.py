"""What `adopt` says of routes and policies, without a cluster: documents in, findings out."""

import pytest

from delivery.adapters.mesh.istio import leave, preflight, survey
from delivery.adapters.mesh.istio.preflight import Policies
from delivery.adapters.mesh.istio.survey import Paths
from delivery.model.finding import Weight
from delivery.model.place import Isolation, Place
from delivery.model.traffic import Traffic
from delivery.model.version import Backend, VersionRef

PLACE = Place("shop", "checkout", "checkout")
SUBSETS = Place("shop", "checkout", "checkout", isolation=Isolation.SUBSET)
HOST = "checkout.shop.svc.cluster.local"
STABLE = {"app": "checkout", "team": "pay"}
CANDIDATE = {"team": "pay", "progressive-delivery/backend": "checkout-next"}


def route(name="public", namespace="shop", gateways=("istio-system/ingress",), **spec):
    http = [{"name": "web", "route": [{"destination": {"host": HOST}}]}]
    metadata = {"name": name, "namespace": namespace, "resourceVersion": "7"}
    return {"metadata": metadata, "spec": {"hosts": ["a"], "gateways": list(gateways), "http": http, **spec}}


def rule(namespace="shop", host=HOST, **spec):
    return {"metadata": {"name": "rule", "namespace": namespace}, "spec": {"host": host, **spec}}


def found(*routes, rules=(), sidecars=(), place=PLACE):
    return survey.findings(Paths(routes, tuple(rules), tuple(sidecars)), "checkout", place)


def weights(findings):
    return [one.weight for one in findings]


def test_one_route_at_a_gateway_leaves_only_the_mesh_to_tell():
    assert weights(found(route())) == [Weight.SAYS]
    assert found(route(gateways=("istio-system/ingress", "mesh"))) == ()


def test_behind_one_service_every_path_has_to_name_a_subset():
    """The candidate's pods are there before any route names them."""
    named = [{"name": "web", "route": [{"destination": {"host": "checkout", "subset": "v1"}}]}]
    assert weights(found(route(gateways=("mesh",), http=named), place=SUBSETS)) == [Weight.WARNS], "without a sidecar"
    (bare, _) = found(route(gateways=("mesh",)), place=SUBSETS)
    assert (bare.weight, "without a subset" in bare.text) == (Weight.BLOCKS, True)
    mirrored = [{**named[0], "mirror": {"host": HOST}}]
    assert Weight.BLOCKS in weights(found(route(gateways=("mesh",), http=mirrored), place=SUBSETS))


def test_behind_one_service_others_and_callers_without_a_rule_would_meet_the_candidate():
    named = [{"route": [{"destination": {"host": HOST, "subset": "v1"}}]}]
    other = route("theirs", "callers", ("mesh",))
    findings = found(route(http=named), other, place=SUBSETS)
    leaks = [one.subject for one in findings if one.weight is Weight.LEAKS]
    assert leaks == ["VirtualService callers/theirs", "Service shop/checkout"]
    assert "stay on stable" not in " ".join(one.text for one in findings if one.weight is Weight.LEAKS)
    assert Weight.LEAKS not in weights(found(route(), other)), "with a Service of its own nobody does"
    tcp = {"tcp": [{"route": [{"destination": {"host": "checkout"}}]}], "http": []}
    findings = found(route(gateways=("mesh",), http=named), route("other", **tcp), place=SUBSETS)
    assert any("without a subset" in one.text for one in findings if one.subject == "VirtualService shop/other")


def test_what_a_release_has_put_there_is_no_leak():
    named = {"name": "web", "route": [{"destination": {"host": HOST, "subset": "v1"}}]}
    ours = {"name": "delivery-checkout.nobody", "route": [{"destination": {"host": HOST}}]}
    assert weights(found(route(gateways=("mesh",), http=[ours, named]), place=SUBSETS)) == [Weight.WARNS]


def test_two_for_the_mesh_are_a_leak():
    (leak,) = found(route("a", gateways=("mesh",)), route("b", gateways=("mesh",)))
    assert leak.weight is Weight.LEAKS
    assert "shop/a and VirtualService shop/b" in leak.text


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_connections_are_not_split_by_request(kind):
    other = {kind: [{"route": [{"destination": {"host": "checkout"}}]}], "http": []}
    findings = found(route(gateways=("mesh",)), route("other", **other))
    assert [one.weight for one in findings if kind in one.text] == [Weight.LEAKS]


def test_a_name_with_one_dot_is_not_expanded():
    short = [{"route": [{"destination": {"host": "checkout.shop"}}]}]
    (warned,) = [
        one for one in found(route(gateways=("mesh",)), route("x", "other", http=short)) if one.weight is Weight.WARNS
    ]
    assert "does not expand" in warned.text


def test_rules_of_callers_hide_subsets_and_nothing_else():
    theirs = rule("callers")
    (blocked,) = about_rules(found(route(gateways=("mesh",)), rules=[theirs], place=SUBSETS))
    assert (blocked.weight, blocked.subject) == (Weight.BLOCKS, "DestinationRule callers/rule")
    assert found(route(gateways=("mesh",)), rules=[theirs]) == ()
    assert about_rules(found(route(gateways=("mesh",)), rules=[rule(host="billing")], place=SUBSETS)) == []


def about_rules(findings):
    return [one for one in findings if one.subject.startswith("DestinationRule")]


def test_a_traffic_policy_of_stables_host_is_not_the_candidates():
    policed = rule(host="checkout", trafficPolicy={"outlierDetection": {}, "tls": {"mode": "ISTIO_MUTUAL"}})
    (warned,) = found(route(gateways=("mesh",)), rules=[policed])
    assert warned.weight is Weight.WARNS
    assert "outlierDetection, tls" in warned.text


def test_a_sidecar_that_names_hosts_does_not_know_the_candidates():
    narrow = {"metadata": {"name": "s", "namespace": "callers"}, "spec": {"egress": [{"hosts": [f"shop/{HOST}"]}]}}
    wide = {"metadata": {"name": "s", "namespace": "callers"}, "spec": {"egress": [{"hosts": ["shop/*"]}]}}
    assert weights(found(route(gateways=("mesh",)), sidecars=[narrow])) == [Weight.LEAKS]
    assert found(route(gateways=("mesh",)), sidecars=[wide]) == ()


def test_a_pause_that_somebody_left_blocks():
    paused = route(gateways=("mesh",))
    paused["metadata"]["annotations"] = {"progressive-delivery/pause": "incident 7"}
    (blocked,) = found(paused)
    assert "incident 7" in blocked.text


@pytest.mark.parametrize("traffic", [Traffic(weight=30), Traffic(weight=30, baseline=30)])
def test_leaving_gives_back_what_was_there_before(traffic):
    before = route()
    pair = (Backend("checkout", VersionRef.of("now"), home=True), Backend("checkout", VersionRef.of("next")))
    (edited,) = survey.trial([before], PLACE, pair, traffic)
    assert leave.carries_users(edited, "checkout")
    after = leave.without(edited, "checkout")
    assert after["spec"] == {
        **before["spec"],
        "http": [{**before["spec"]["http"][0], "route": [{"destination": {"host": HOST}, "weight": 100}]}],
    }
    assert after["metadata"]["annotations"] == {}
    assert not leave.carries_users(after, "checkout")


def policy(kind, selector, namespace="shop", **spec):
    field = "podSelector" if kind == "NetworkPolicy" else "selector"
    chosen = {field: {"matchLabels": selector}} if selector is not None else {}
    return {"kind": kind, "metadata": {"name": "p", "namespace": namespace}, "spec": {**chosen, **spec}}


def judged(*policies, peers=()):
    return preflight.findings(Policies(policies, tuple(peers)), PLACE, STABLE, CANDIDATE)


@pytest.mark.parametrize("kind", ["AuthorizationPolicy", "RequestAuthentication", "NetworkPolicy", "Telemetry"])
def test_a_policy_that_means_one_of_them_is_a_leak_with_a_selector_that_means_both(kind):
    (leak,) = judged(policy(kind, {"app": "checkout"}, rules=[{}]))
    assert leak.weight is Weight.LEAKS
    assert "team: pay" in leak.remedy
    assert "app: checkout" not in leak.remedy


def test_a_policy_that_means_both_or_neither_is_none():
    assert judged(policy("AuthorizationPolicy", {"team": "pay"}), policy("AuthorizationPolicy", None)) == ()
    assert judged(policy("AuthorizationPolicy", {"app": "billing"})) == ()
    assert judged(policy("AuthorizationPolicy", {"app": "checkout"}, targetRefs=[{"kind": "Gateway"}])) == ()


def test_the_narrowest_mode_of_mtls_is_told():
    root = policy("PeerAuthentication", None, "istio-system", mtls={"mode": "STRICT"})
    local = policy("PeerAuthentication", None, mtls={"mode": "PERMISSIVE"})
    assert "STRICT" in judged(peers=[root])[0].text
    assert "PERMISSIVE" in judged(local, peers=[root])[0].text
