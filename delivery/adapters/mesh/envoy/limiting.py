"""What a route asks of the other two files: policies on the clusters it names, and the tokens of its previews. Pure.

Both are put down before the route. A token that a proxy does not know yet lets nobody through.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from delivery.adapters.mesh.envoy import filters
from delivery.adapters.mesh.envoy.admit import Change
from delivery.adapters.mesh.envoy.clusters import Cluster, limited, shown, told
from delivery.adapters.mesh.envoy.marker import Section
from delivery.model.policy import TrafficPolicy
from delivery.ports.mesh import Route


def clusters(route: Route) -> Change:
    """The candidate's cluster gets the policy, stable's has none. One that no user can reach is left as it is."""
    wanted: dict[str, TrafficPolicy | None] = {}
    if route.stable is not None:
        wanted[route.stable.name] = None
    if route.candidate is not None and route.traffic.exposes:
        wanted[route.candidate.name] = route.traffic.policy

    def one(cluster: Cluster) -> Cluster:
        policy = wanted.get(cluster["name"])
        if cluster["name"] not in wanted or shown(cluster) == told(policy):
            return cluster
        return limited(cluster, policy)

    return lambda known: [one(cluster) for cluster in known]


def asks_for_tokens(route: Route) -> bool:
    """Whether a rule of this route asks for one."""
    return any(rule.jwt is not None for rule in route.traffic.rules)


def tokens(route: Route, sections: Iterable[Section], known: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tokens that there have to be; those that no section asks for any more go when one is added."""
    added = dict(filters.provider(rule.jwt) for rule in route.traffic.rules if rule.jwt is not None)
    if added.keys() <= known.keys():
        return known
    named = filters.required(list(sections))
    return {name: proven for name, proven in known.items() if name in named} | added
