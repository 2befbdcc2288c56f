"""Isolation by subset: the candidate's pods are behind the Service that users call, so whoever names no subset meets
them, also at 0 percent. Pure."""

from collections.abc import Iterator, Sequence

from delivery.adapters.kube.objects import Document
from delivery.adapters.mesh.istio import document, stamps
from delivery.model.finding import Finding, Weight
from delivery.model.place import Isolation, Place, host

_INSTEAD = "or use isolation: service"


def findings(routes: Sequence[Document], edited: Sequence[Document], service: str, place: Place) -> Iterator[Finding]:
    """Every path by which users would reach all of its pods. `routes` are those of the whole cluster."""
    if place.isolation is not Isolation.SUBSET:
        return
    where = host(place, place.service)
    ours = [_name(one) for one in edited]
    for one in routes:
        if where in document.named(_owners(one, service)):
            weight = Weight.BLOCKS if _name(one) in ours else Weight.LEAKS
            text = f"it leads to {where} without a subset: the candidate's pods are there too, and answer at 0 percent"
            yield Finding(weight, _name(one), f"{text}; name a subset of stable in each destination, {_INSTEAD}")
    subject = f"Service {place.namespace}/{place.service}"
    if not any("mesh" in ((one.get("spec") or {}).get("gateways") or ["mesh"]) for one in edited):
        text = "no route of it is for the mesh: callers inside the cluster reach all of its pods, the candidate's too"
        yield Finding(Weight.LEAKS, subject, f"{text}; add the gateway mesh to a route, {_INSTEAD}")
    text = "callers without a sidecar read no route: they reach all of its pods, the candidate's too"
    yield Finding(Weight.WARNS, subject, f"{text}; see that there are none, {_INSTEAD}")


def is_bare(found: Document, place: Place) -> bool:
    """Whether some of its callers meet every version, whatever a release writes."""
    return place.isolation is Isolation.SUBSET and host(place, place.service) in document.named(found)


def _owners(found: Document, service: str) -> Document:
    """Without the routes that are ours: they go with a release."""
    spec = {key: value for key, value in (found.get("spec") or {}).items() if key != "hosts"}
    http = [each for each in spec.get("http") or () if not stamps.is_ours(each, service)]
    return {**found, "spec": {**spec, "http": http}}


def _name(found: Document) -> str:
    return f"VirtualService {found['metadata'].get('namespace')}/{found['metadata']['name']}"
