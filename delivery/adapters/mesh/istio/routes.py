"""The routes that a target's traffic makes of one route of its owners. Pure.

The owners' route keeps everything but its list of destinations. Routes of ours are copies of it with one more
condition, placed before it, so that timeouts, retries, rewrites and headers are the same for whoever is matched.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from delivery.adapters.mesh.istio import hosts, matches, policy, sticky, way_back
from delivery.adapters.mesh.istio.pieces import Edit, Http, aimed, entry, origin, port, variant
from delivery.adapters.mesh.istio.stamps import name_of
from delivery.model.place import Place, destination
from delivery.model.traffic import Mirror, Rule
from delivery.model.version import Backend, Lane
from delivery.ports.errors import Refused

NOBODY = 503


def edited(found: Http, edit: Edit) -> list[Http]:
    """Our routes, and last the owners' own. Raises Refused for a route that sends to somebody else's hosts too, where
    anything is raised."""
    try:
        return _edited(found, edit)
    except Refused:
        if edit.takes_back:
            return [way_back.taken_back(found, edit)]
        raise


def _edited(found: Http, edit: Edit) -> list[Http]:
    stable, candidate, traffic = edit.route.stable, edit.route.candidate, edit.route.traffic
    if stable is None and (candidate is None or traffic.weight < 100):
        return [_nobody(found, edit), _at_rest(found, edit)]
    owners = _split(found, edit)
    limits = policy.of_route(traffic.policy)
    if stable is None or candidate is None or traffic.weight == 100:
        return [*_limited(owners, edit, limits), owners]
    if traffic.mirror is not None:
        return [_mirrored(owners, edit, stable, candidate, traffic.mirror), owners]
    limited = {**owners, **limits}
    rules = [made for rule in traffic.rules for made in _ruled(limited, edit, candidate, rule)]
    if traffic.sticky is not None:
        return [*rules, *sticky.routes(limited, edit, traffic.weight, traffic.sticky), owners]
    return [*rules, *(_limited(owners, edit, limits) if traffic.weight else []), owners]


def is_managed(route: Mapping[str, Any], place: Place, names: Sequence[str], ours: frozenset[str]) -> bool:
    """Whether a route of the owners is this target's: by its name, or else because it leads to the service, or to a
    version that we have put there."""
    if names:
        return route.get("name") in names
    found = route.get("route") or []
    return any(hosts.is_home(each, place) or hosts.label_of(each, place.namespace) in ours for each in found)


def _split(found: Http, edit: Edit) -> Http:
    """The owners' entry stays, with weight 0 where it gets nothing: it is what the route goes back to, and in a list of
    several Istio leaves it out. A list of one ignores its weight and would get everything."""
    theirs, route = origin(found, edit), edit.route
    weight, baseline = route.traffic.weight, route.traffic.baseline or 0
    parts = (route.stable, 100 - weight - baseline), (route.candidate, weight), (route.copy, baseline)
    made = [(entry(found, edit, backend), share) for backend, share in parts if backend and share]
    kept = [(copy.deepcopy(theirs), 0)] if not any(_same(each, theirs) for each, _ in made) else []
    whole = [*kept, *made]
    if len(whole) == 1:
        return {**found, "route": [_alone(whole[0][0], theirs)]}
    return {**found, "route": [{**each, "weight": share} for each, share in whole]}


def _limited(owners: Http, edit: Edit, limits: Mapping[str, Any]) -> list[Http]:
    """A copy of the owners' route with timeout and retries of its own: theirs stays as they wrote it."""
    return variant({**owners, **limits}, edit, "limits", [{}]) if limits else []


def _at_rest(found: Http, edit: Edit) -> Http:
    """As its owners have it, where an earlier write has left versions in it that are nobody's now."""
    if not any(hosts.label_of(each, edit.place.namespace) in edit.ours for each in found.get("route") or []):
        return found
    theirs = origin(found, edit)
    return {**found, "route": [{**theirs, "weight": 100}]}


def _alone(only: Http, origin: Http) -> Http:
    return {**only, "weight": 100} if "weight" in origin else only


def _same(one: Http, other: Http) -> bool:
    return bool(one["destination"] == other["destination"])


def _nobody(found: Http, edit: Edit) -> Http:
    text = f"no version of {edit.route.service} has been released yet\n"
    keep = {key: copy.deepcopy(found[key]) for key in ("match",) if key in found}
    answer = {"status": NOBODY, "body": {"string": text}}
    return {"name": name_of(edit.route.service, "nobody"), **keep, "directResponse": answer}


def _ruled(owners: Http, edit: Edit, candidate: Backend, rule: Rule) -> list[Http]:
    wanted = [condition for match in rule.matches for condition in matches.of_match(match)]
    made = variant(owners, edit, f"rule.{rule.name}", wanted, route=[entry(owners, edit, candidate)])
    return [{**each, "fault": policy.of_fault(rule.fault)} for each in made] if rule.fault else made


def _mirrored(owners: Http, edit: Edit, stable: Backend, candidate: Backend, mirror: Mirror) -> Http:
    """Copies go to a destination of their own; where only some methods are copied, so do their originals. What the
    owners mirror themselves stays."""
    shadow = destination(edit.place, candidate, Lane.SHADOW)
    like = entry(owners, edit, candidate)
    copies = {"destination": {**aimed(shadow), **port(like)}, "percentage": {"value": mirror.percent}}
    lane = Lane.SHADOWED if mirror.methods else Lane.PLAIN
    wanted = [matches.of_methods(mirror.methods)] if mirror.methods else [{}]
    found = variant(owners, edit, "mirror", wanted, route=[entry(owners, edit, stable, lane)])
    if not found:
        raise Refused(f"the route {owners.get('name', 'without a name')} takes none of {', '.join(mirror.methods)}")
    made = found[0]
    theirs = list(made.get("mirrors") or [])
    if "mirror" in made:
        theirs.append({"destination": made.pop("mirror"), "percentage": made.pop("mirrorPercentage", {"value": 100})})
    return {**made, "mirrors": [*theirs, copies]}
