"""Services and subsets by which a version is reached: documents in, documents out. Pure.

A version's own Service is made with its pods. Beside it there is one for each other lane, with the same pods, so that
mirrored copies and their originals are counted apart from users' requests. The last one that is made is also the mark
that the version is published: its label says with which addresses.
"""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from delivery.adapters.kube import marks
from delivery.adapters.kube.objects import ISTIO, Document
from delivery.model.codec import digest
from delivery.model.ids import TargetId
from delivery.model.place import Place, host, object_name
from delivery.model.version import Backend, Lane

PUBLISHED = f"{marks.PREFIX}published"
SERVICE_NAME = "kubernetes.io/service-name"
VERSION = "version"
_EXPORT = "networking.istio.io/exportTo"
_PORT = ("name", "protocol", "port", "targetPort", "appProtocol")


def lane_service(plain: Document, backend: Backend, lane: Lane, target: TargetId, published: str = "") -> Document:
    """A Service with the pods and ports of the version's own."""
    metadata, spec = plain["metadata"], plain["spec"]
    told = {marks.TARGET: target}
    if exported := (metadata.get("annotations") or {}).get(_EXPORT):
        told[_EXPORT] = exported
    labels = {**marks.labels(object_name(backend)), **({PUBLISHED: published} if published else {})}
    ports = [{key: port[key] for key in _PORT if key in port} for port in spec["ports"]]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": object_name(backend, lane),
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": told,
        },
        "spec": {"selector": dict(spec["selector"]), "ports": ports},
    }


def addresses(slices: Iterable[Mapping[str, Any]], service: str) -> tuple[str, ...]:
    """Where a Service's pods are ready, by its EndpointSlices."""
    found = {
        address
        for each in slices
        if (each["metadata"].get("labels") or {}).get(SERVICE_NAME) == service
        for endpoint in each.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready", True)
        for address in endpoint["addresses"]
    }
    return tuple(sorted(found))


def mark(found: Iterable[object]) -> str:
    """A label's value that changes with what is published."""
    return digest(list(found))[:16]


def rule_name(service: str) -> str:
    return f"delivery-{service}"


def with_subsets(
    found: Document | None, backend: Backend, place: Place, target: TargetId, labels: Mapping[str, str], export: Any
) -> Document:
    """The DestinationRule that is ours, with a subset for each lane of the version. It stands beside the owners' own:
    Istio joins rules for one host where `exportTo` is equal."""
    made = copy.deepcopy(found) if found else _empty_rule(place, target, backend.service)
    subsets = {each["name"]: each for each in made["spec"].get("subsets") or ()}
    for lane in Lane:
        name = object_name(backend, lane)
        subsets[name] = {**subsets.get(name, {}), "name": name, "labels": dict(labels)}
    made["spec"]["subsets"] = list(subsets.values())
    if export is None:
        made["spec"].pop("exportTo", None)
    else:
        made["spec"]["exportTo"] = copy.deepcopy(export)
    return made


def without_subsets(found: Document, backend: Backend) -> Document | None:
    """The rule without the version's; None where nothing would be left of it."""
    names = {object_name(backend, lane) for lane in Lane}
    kept = [each for each in found["spec"].get("subsets") or () if each["name"] not in names]
    if not kept:
        return None
    made = copy.deepcopy(found)
    made["spec"]["subsets"] = kept
    return made


def subset_labels(template: Mapping[str, Any]) -> dict[str, str]:
    """What tells a version's pods from the others of its Service; empty where nothing does."""
    labels = (template.get("metadata") or {}).get("labels") or {}
    for key in (marks.BACKEND, VERSION):
        if key in labels:
            return {key: labels[key]}
    return {}


def _empty_rule(place: Place, target: TargetId, service: str) -> Document:
    metadata = {
        "name": rule_name(service),
        "namespace": place.namespace,
        "labels": {marks.MANAGED_BY: marks.US},
        "annotations": {marks.TARGET: target},
    }
    spec = {"host": host(place, place.service), "subsets": []}
    return {"apiVersion": ISTIO, "kind": "DestinationRule", "metadata": metadata, "spec": spec}
