"""Whom a route leads to: hosts as Istio resolves them. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from delivery.model.place import CLUSTER_DOMAIN, Destination, Place, destination, host
from delivery.model.version import Backend, Lane


def resolve(name: str, namespace: str) -> str:
    """The full name. One without a dot is a Service beside the VirtualService; Istio expands no other."""
    return name if "." in name else f"{name}.{namespace}.{CLUSTER_DOMAIN}"


def label(where: Destination) -> str:
    """`HOST`, or `HOST|SUBSET`."""
    return where.host if where.subset is None else f"{where.host}|{where.subset}"


def label_of(entry: Mapping[str, Any], namespace: str) -> str:
    """The same of an entry of a route, as it is found in a VirtualService of this namespace."""
    found = entry.get("destination") or {}
    return label(Destination(resolve(str(found.get("host", "")), namespace), found.get("subset")))


def is_home(entry: Mapping[str, Any], place: Place) -> bool:
    """Whether it leads to the Service that users call, by whatever subset."""
    found = entry.get("destination") or {}
    return resolve(str(found.get("host", "")), place.namespace) == host(place, place.service)


def lane(place: Place, backend: Backend, by: Lane = Lane.PLAIN) -> str:
    """Where a version is in one of its lanes."""
    return label(destination(place, backend, by))


def all_lanes(place: Place, *backends: Backend | None) -> Iterator[str]:
    """Every destination that a backend may have in a route."""
    for backend in filter(None, backends):
        for by in Lane:
            yield lane(place, backend, by)
