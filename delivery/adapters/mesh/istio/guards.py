"""The objects that stand beside the routes and limit the candidate: documents out. Pure.

All are named after the version, so that nothing of it is left for another one, and go with it.
"""

from collections.abc import Mapping
from typing import Any

from delivery.adapters.kube import marks
from delivery.adapters.kube.objects import ISTIO, Document
from delivery.adapters.mesh.istio import policy
from delivery.model.place import Isolation, Place, destination, object_name
from delivery.model.traffic import Rule
from delivery.model.version import Backend
from delivery.ports.mesh import Route

HOST = "DestinationRule"
LIMIT = "EnvoyFilter"
TOKEN = "RequestAuthentication"
DENIAL = "AuthorizationPolicy"
VERSIONS: Mapping[str, str] = {
    HOST: ISTIO,
    LIMIT: "networking.istio.io/v1alpha3",
    TOKEN: "security.istio.io/v1",
    DENIAL: "security.istio.io/v1",
}
"""Every kind, in the order in which they are put there: a token is known before somebody is turned away without it."""
AT_SIDECARS = (LIMIT, TOKEN, DENIAL)
"""What only the candidate's own sidecars can do."""


def told(route: Route) -> frozenset[str]:
    """`KIND/NAME` of what a route asks for, as the stamp keeps it, so that it is found again and nothing else is."""
    return frozenset(f"{kind}/{object_name(route.candidate)}" for kind in kinds(route) if route.candidate)


def kinds(route: Route) -> frozenset[str]:
    """Which objects a route asks for. A subset's limits are written into the rule that has the subset."""
    if not route.traffic.exposes:
        return frozenset()
    limits = route.traffic.policy
    found = {HOST} if policy.of_host(limits) else set()
    if limits is not None and limits.rate_limit is not None:
        found.add(LIMIT)
    if borne(route):
        found |= {TOKEN, DENIAL}
    return frozenset(found)


def borne(route: Route) -> list[Rule]:
    """The rules that ask for a token."""
    return [rule for rule in route.traffic.rules if rule.jwt is not None]


def document(kind: str, route: Route, backend: Backend, place: Place, labels: Mapping[str, str]) -> Document:
    """The object; `labels` are what the version's pods are selected by."""
    metadata = {
        "name": object_name(backend),
        "namespace": place.namespace,
        "labels": marks.labels(object_name(backend)),
        "annotations": {marks.TARGET: route.target},
    }
    spec = _spec(kind, route, backend, place, labels)
    return {"apiVersion": VERSIONS[kind], "kind": kind, "metadata": metadata, "spec": spec}


def with_policy(rule: Document, name: str, wanted: Mapping[str, Any]) -> Document:
    """Our rule of subsets with this traffic policy on the one of this name; an empty one takes it away."""
    subsets = []
    for subset in rule["spec"].get("subsets") or ():
        plain = {key: value for key, value in subset.items() if key != "trafficPolicy"}
        limited = {**plain, "trafficPolicy": dict(wanted)} if wanted else plain
        subsets.append(limited if subset["name"] == name else subset)
    return {**rule, "spec": {**rule["spec"], "subsets": subsets}}


def subset_labels(rule: Document, backend: Backend) -> dict[str, str]:
    """What the version's subset selects by."""
    for subset in rule["spec"].get("subsets") or ():
        if subset["name"] == object_name(backend):
            return dict(subset["labels"])
    return {}


def by_host(place: Place) -> bool:
    """Whether the version has a host of its own, and not a subset."""
    return place.isolation is Isolation.SERVICE


def _spec(kind: str, route: Route, backend: Backend, place: Place, labels: Mapping[str, str]) -> dict[str, Any]:
    selector = {"selector": {"matchLabels": dict(labels)}}
    limits, rules = route.traffic.policy, borne(route)
    match kind:
        case "DestinationRule":
            return {"host": destination(place, backend).host, "trafficPolicy": policy.of_host(limits)}
        case "EnvoyFilter":
            patches = [policy.of_limit(limits.rate_limit)] if limits and limits.rate_limit else []
            return {"workloadSelector": {"labels": dict(labels)}, "configPatches": patches}
        case "RequestAuthentication":
            return {**selector, "jwtRules": [policy.of_token(rule.jwt) for rule in rules if rule.jwt]}
    denied = [denial for rule in rules if rule.jwt for denial in policy.without_token(rule, rule.jwt)]
    return {**selector, "action": "DENY", "rules": denied}
