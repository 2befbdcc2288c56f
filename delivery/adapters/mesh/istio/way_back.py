"""A route of the owners without the candidate, whatever they have made of it meanwhile. Pure.

To raise anything, a route has to be one that we can split. To go back nothing is asked of it: destinations that are not
ours stay as they are found, with their weights, and all that is ours goes to stable.
"""

import copy
from collections.abc import Mapping
from typing import Any

from delivery.adapters.mesh.istio import hosts
from delivery.adapters.mesh.istio.pieces import Edit, Http, aimed, port
from delivery.model.place import destination, host
from delivery.model.version import Backend


def is_ours_to_take_back(route: Mapping[str, Any], edit: Edit) -> bool:
    """Whether a release would still have users there, whatever the route is called and sends to besides."""
    stable = frozenset(hosts.all_lanes(edit.place, edit.route.stable))
    gone = edit.ours - stable
    return any(hosts.label_of(each, edit.place.namespace) in gone for each in route.get("route") or [])


def taken_back(found: Http, edit: Edit) -> Http:
    """The owners' route with stable in place of all that is ours."""
    entries = [copy.deepcopy(each) for each in found.get("route") or []]
    weighed = [(each, _weight(each, len(entries))) for each in entries]
    theirs = [pair for pair in weighed if hosts.label_of(pair[0], edit.place.namespace) not in edit.ours]
    share = sum(weight for _, weight in weighed) - sum(weight for _, weight in theirs)
    if not any(weight for _, weight in weighed):
        share = 100
    stable = edit.route.stable
    if stable is not None and share:
        theirs = _with(theirs, edit, stable, share)
    if len(theirs) == 1:
        return {**found, "route": [{**theirs[0][0], "weight": 100}]}
    return {**found, "route": [{**each, "weight": weight} for each, weight in theirs]} if theirs else found


def _with(theirs: list[tuple[Http, int]], edit: Edit, stable: Backend, share: int) -> list[tuple[Http, int]]:
    """Stable's share added: at home to the owners' own entry, which there has to be in any case: by it the route is
    known to be the service's."""
    place = edit.place
    home = [number for number, (each, _) in enumerate(theirs) if hosts.is_home(each, place)]
    if not home:
        first = theirs[0][0] if theirs else {}
        theirs, home = [({"destination": {"host": host(place, place.service), **port(first)}}, 0), *theirs], [0]
    chosen = next((number for number in home if theirs[number][1]), home[0])
    entry, weight = theirs[chosen]
    where = destination(place, stable)
    if stable.home and where.subset is None:
        return [(entry, weight + share) if number == chosen else pair for number, pair in enumerate(theirs)]
    return [*theirs, ({**copy.deepcopy(entry), "destination": {**aimed(where), **port(entry)}}, share)]


def _weight(entry: Mapping[str, Any], entries: int) -> int:
    """A lone destination gets everything, whatever its weight says."""
    return 100 if entries == 1 else int(entry.get("weight", 0))
