"""What the routes of ours are made of: copies of the owners' entries and routes. Pure."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from delivery.adapters.mesh.answer import takes_back
from delivery.adapters.mesh.istio import hosts, matches
from delivery.adapters.mesh.istio.stamps import name_of
from delivery.model.place import Destination, Place, destination, host
from delivery.model.version import Backend, Lane
from delivery.ports.errors import Refused
from delivery.ports.mesh import Route

Http = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be made of a route: `ours` are the destinations that we have put into routes so far, `others` those of
    other services' releases, by service."""

    route: Route
    place: Place
    ours: frozenset[str]
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def takes_back(self) -> bool:
        """Whether nobody is to get the candidate, nor copies be sent to it: that waits for nothing."""
        return takes_back(self.route)


def entries(owners: Http, edit: Edit, weights: tuple[int, int]) -> list[Http]:
    """Stable's and the candidate's entry of a copy of a route, without those that get nothing."""
    pair = (edit.route.stable, edit.route.candidate)
    wanted = [(backend, weight) for backend, weight in zip(pair, weights, strict=True) if backend and weight]
    made = [entry(owners, edit, backend) for backend, _ in wanted]
    if len(made) > 1:
        for each, (_, weight) in zip(made, wanted, strict=True):
            each["weight"] = weight
    return made


def entry(owners: Http, edit: Edit, backend: Backend, lane: Lane = Lane.PLAIN) -> Http:
    """A destination with the port and the headers that the owners' has."""
    made = copy.deepcopy(origin(owners, edit))
    made.pop("weight", None)
    where = destination(edit.place, backend, lane)
    if backend.home and lane is Lane.PLAIN and where.subset is None:
        return made  # as its owners wrote it, by whatever subset
    made["destination"] = {**aimed(where), **port(made)}
    return made


def variant(owners: Http, edit: Edit, kind: str, conditions: Sequence[Mapping[str, Any]], **fields: Any) -> list[Http]:
    """A copy of a route for requests that meet any of these conditions too; none where nothing can meet both."""
    met = matches.both(owners.get("match"), [dict(condition) for condition in conditions])
    if not met:
        return []
    made = copy.deepcopy(owners)
    made["name"] = name_of(edit.route.service, kind)
    if met == [{}]:
        made.pop("match", None)
    else:
        made["match"] = met
    return [{**made, **fields}]


def origin(found: Http, edit: Edit) -> Http:
    """The entry of the owners; made anew where somebody took it out. Raises Refused where it is not one alone."""
    namespace = edit.place.namespace
    theirs = [each for each in found.get("route") or [] if hosts.label_of(each, namespace) not in edit.ours]
    strange = [each for each in theirs if not hosts.is_home(each, edit.place)]
    name = found.get("name", "without a name")
    if strange:
        where = hosts.label_of(strange[0], namespace)
        if where in edit.others:
            whose = f"the route {name} sends to {where}, a version of {edit.others[where]}"
            raise Refused(f"{whose}: two services cannot share it; `delivery release-control` says how to take it out")
        raise Refused(f"the route {name} sends to {where} too: give {edit.place.service} a route of its own")
    weighted = [each for each in theirs if each.get("weight", 1)] or theirs
    if len(weighted) > 1:
        raise Refused(f"the route {name} splits {edit.place.service} already: leave it one destination")
    if weighted:
        return dict(weighted[0])
    first = (found.get("route") or [{}])[0]
    return {"destination": {"host": host(edit.place, edit.place.service), **port(first)}}


def aimed(where: Destination) -> Http:
    """An Istio destination without a port."""
    return {"host": where.host, **({"subset": where.subset} if where.subset else {})}


def port(found: Mapping[str, Any]) -> Http:
    """The port that an entry names, if it names one."""
    number = (found.get("destination") or {}).get("port")
    return {"port": number} if number else {}
