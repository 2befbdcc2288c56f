"""A VirtualService with a target's traffic in it: document in, document out. Pure.

Whatever is not ours stays as it is found, in its order: other services' routes, other fields of the owners' routes.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from delivery.adapters.kube.objects import Document
from delivery.adapters.mesh.istio import hosts, stamps
from delivery.adapters.mesh.istio.pieces import Edit, Http
from delivery.adapters.mesh.istio.routes import edited, is_managed
from delivery.adapters.mesh.istio.stamps import Written
from delivery.adapters.mesh.istio.way_back import is_ours_to_take_back
from delivery.model.place import Place, destination, host
from delivery.ports.errors import Refused
from delivery.ports.mesh import Route, Stamp

PROBE_HEADER = "x-delivery-probe"


def edit(document: Document, route: Route, place: Place, written: Written, secret: str) -> Document:
    """The document with this traffic. Raises Refused where its routes cannot carry it, or none leads to the service;
    never where all of it is stable's.

    `secret` is what a probe has to say to be answered by the marker.
    """
    known = _known(document, route, place)
    names = _names(document, place)
    whole = Edit(route, place, known, _others(document, route.service))
    http: list[Http] = []
    managed = 0
    for found in stamps.http(document):
        if stamps.is_ours(found, route.service):
            continue
        if is_managed(found, place, names, known) or (whole.takes_back and is_ours_to_take_back(found, whole)):
            managed += 1
            http += edited(found, whole)
        else:
            http.append(found)
    if not managed and not whole.takes_back:
        raise Refused(_nothing(document, place, names))
    changed = copy.deepcopy(document)
    if http:  # else it routes no HTTP any more, and a route of ours would be the only one
        changed["spec"]["http"] = copy.deepcopy([probe(route.service, written, secret), *http])
    told = {**stamps.annotations(document), stamps.key(route.service): stamps.encode(written)}
    changed["metadata"]["annotations"] = told
    return changed


def stamped(documents: Iterable[Document], route: Route, place: Place, stamp: Stamp) -> Written:
    """What a write of this route leaves on the documents."""
    rev = 1 + max((_revision(each, route.service) for each in documents), default=0)
    both = [None if each is None else hosts.label(destination(place, each)) for each in (route.stable, route.candidate)]
    return Written(stamp, rev, both[0], both[1], tuple(sorted(_used(route, place))))


def _revision(document: Document, service: str) -> int:
    """The number of the last write that it shows: by our note, or, where somebody took that out, by the probe route."""
    written, told = stamps.read(document, service), probed(document, service)
    number = told.rpartition("/")[2]
    return max(written.rev if written else 0, int(number) if number.isdecimal() else 0)


def probe(service: str, written: Written, secret: str) -> Http:
    """The route that proves what a proxy runs: it changes with the weights, and needs no backend."""
    match = [{"headers": {PROBE_HEADER: {"exact": secret}}}]
    answer = {"status": 200, "body": {"string": written.token}}
    return {"name": stamps.name_of(service, stamps.PROBE), "match": match, "directResponse": answer}


def secret_of(document: Document, service: str) -> str | None:
    """The secret of the probe route that is there."""
    for found in stamps.http(document):
        if found.get("name") == stamps.name_of(service, stamps.PROBE):
            try:
                return str(found["match"][0]["headers"][PROBE_HEADER]["exact"])
            except (KeyError, IndexError, TypeError):
                return None
    return None


def probed(document: Document, service: str) -> str:
    """What the probe route that is there answers; nothing where there is none that is whole."""
    for found in stamps.http(document):
        if found.get("name") == stamps.name_of(service, stamps.PROBE):
            try:
                return str(found["directResponse"]["body"]["string"])
            except (KeyError, TypeError):
                return ""
    return ""


def part(document: Document, service: str, place: Place) -> dict[str, Any] | None:
    """What of the document is ours: our routes, the destinations of the owners', the stamp. None: nothing at all."""
    told = stamps.annotations(document).get(stamps.key(service))
    ours, owners = [], []
    written = stamps.read(document, service)
    known = frozenset(written.ours if written else ())
    names = _names(document, place)
    for found in stamps.http(document):
        if stamps.is_ours(found, service):
            ours.append(found)
        elif is_managed(found, place, names, known):
            owners.append({"after": len(ours), "route": found.get("route"), "name": found.get("name")})
    if told is None and not ours:
        return None
    return {"stamp": told, "ours": ours, "owners": owners}


def weight(document: Document, service: str, place: Place) -> int:
    """The candidate's percent in the owners' routes, the most of them; 0 where that cannot be told."""
    written = stamps.read(document, service)
    if written is None or written.candidate is None:
        return 0
    names, known = _names(document, place), frozenset(written.ours)
    owners = [each for each in stamps.http(document) if not stamps.is_ours(each, service)]
    shares = [_share(each, place, written.candidate) for each in owners if is_managed(each, place, names, known)]
    return max(shares, default=0)


def leads_to(document: Document, place: Place, service: str) -> bool:
    """Whether the document is among the target's routes, where its place names none."""
    if place.routes:
        return any(ref.virtual_service == document["metadata"]["name"] for ref in place.routes)
    written = stamps.read(document, service)
    known = frozenset(written.ours if written else ())
    return any(is_managed(each, place, (), known) for each in stamps.http(document))


def named(document: Document) -> frozenset[str]:
    """Every destination that a VirtualService names, at whatever depth."""
    namespace = document["metadata"].get("namespace", "")
    return frozenset(_named(document.get("spec"), namespace))


def _named(node: Any, namespace: str) -> Iterable[str]:
    if isinstance(node, list):
        for each in node:
            yield from _named(each, namespace)
    elif isinstance(node, Mapping):
        if isinstance(node.get("host"), str):
            yield hosts.label_of({"destination": node}, namespace)
        for each in node.values():
            yield from _named(each, namespace)


def _share(route: Mapping[str, Any], place: Place, candidate: str) -> int:
    entries = route.get("route") or []
    try:
        total = sum(_weight(each, len(entries)) for each in entries)
        ours = sum(_weight(each, len(entries)) for each in entries if _is_candidate(each, place, candidate))
    except (AttributeError, TypeError, ValueError):  # somebody's edit may look like anything
        return 0
    return round(100 * ours / total) if total else 0


def _is_candidate(entry: Mapping[str, Any], place: Place, candidate: str) -> bool:
    """At home it is reached by whatever subset its owners have written."""
    if candidate == host(place, place.service):
        return hosts.is_home(entry, place)
    return hosts.label_of(entry, place.namespace) == candidate


def _weight(entry: Mapping[str, Any], entries: int) -> int:
    """A lone destination gets everything, whatever its weight says."""
    return 100 if entries == 1 else int(entry.get("weight", 0))


def _known(document: Document, route: Route, place: Place) -> frozenset[str]:
    """The destinations that we have put there, or are about to."""
    before = stamps.read(document, route.service)
    return frozenset(before.ours if before else ()) | _used(route, place)


def _used(route: Route, place: Place) -> frozenset[str]:
    """The Service that users call is never ours."""
    return frozenset(hosts.all_lanes(place, route.stable, route.candidate, route.copy)) - {host(place, place.service)}


def _others(document: Document, service: str) -> dict[str, str]:
    """What releases of other services have put there."""
    found = {other: stamps.read(document, other) for other in stamps.services(document) - {service}}
    return {label: other for other, written in found.items() if written for label in written.ours}


def _names(document: Document, place: Place) -> tuple[str, ...]:
    name = document["metadata"]["name"]
    return next((ref.names for ref in place.routes if ref.virtual_service == name), ())


def _nothing(document: Document, place: Place, names: Sequence[str]) -> str:
    where = f"VirtualService {place.namespace}/{document['metadata']['name']}"
    if names:
        return f"{where} has no HTTP route called {' or '.join(names)}: correct `routes` of the service file, or add it"
    return f"{where} has no HTTP route that leads to {host(place, place.service)}"
