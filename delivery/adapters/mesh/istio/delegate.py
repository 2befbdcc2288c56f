"""A VirtualService in two: a root that its owners keep in git, and a delegate with what releases edit. Pure.

So whoever sets the root back sets no weight back, and edits of the root in git still apply.
"""

import copy
from collections.abc import Sequence

from delivery.adapters.kube.objects import ISTIO, Document
from delivery.adapters.mesh.istio import stamps
from delivery.adapters.mesh.istio.routes import is_managed
from delivery.model.place import Place

MESH = "mesh"


def split(found: Document, place: Place, service: str) -> tuple[Document, Document] | None:
    """The root and the delegate that together do what the VirtualService does now; None where that cannot be done:
    routes of others stand between those of the service, it is a delegate itself, or it carries a release."""
    spec = found.get("spec") or {}
    if not spec.get("hosts") or service in stamps.services(found):
        return None
    managed = [index for index, one in enumerate(stamps.http(found)) if _leads(one, found, place)]
    if not managed or managed != list(range(managed[0], managed[-1] + 1)):
        return None
    routes = stamps.http(found)[managed[0] : managed[-1] + 1]
    metadata = found["metadata"]
    name = f"{metadata['name']}-release"
    delegate = {"name": name, "namespace": metadata["namespace"]}
    root = copy.deepcopy(found)
    root["metadata"] = {key: metadata[key] for key in ("name", "namespace", "labels") if key in metadata}
    http = root["spec"]["http"]
    http[managed[0] : managed[-1] + 1] = [{"name": "release", "delegate": delegate}]
    return root, _delegate(delegate, routes, metadata["namespace"])


def _delegate(metadata: Document, routes: Sequence[Document], namespace: str) -> Document:
    return {
        "apiVersion": ISTIO,
        "kind": "VirtualService",
        "metadata": dict(metadata),
        "spec": {"http": copy.deepcopy(list(routes))},
    }


def _leads(route: Document, found: Document, place: Place) -> bool:
    names = next((ref.names for ref in place.routes if ref.virtual_service == found["metadata"]["name"]), ())
    return is_managed(route, place, names, frozenset())
