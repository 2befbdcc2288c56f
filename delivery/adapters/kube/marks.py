"""What tells our objects and notes in a cluster from those of others. Pure."""

from collections.abc import Mapping
from typing import Any

from delivery.model.ids import TargetId
from delivery.ports.errors import Refused

PREFIX = "progressive-delivery/"  # no `istio.io` in it: Istio pushes to every proxy on annotations that contain that
BACKEND = f"{PREFIX}backend"
"""Label of the pods that we make: `place.object_name` of their version. Services and subsets select by it."""
TARGET = f"{PREFIX}target"
"""Annotation: whose object it is."""
USED_BY = f"{PREFIX}used-by"
"""Annotation: the release that used it last. It changes the resourceVersion: whoever was about to delete it fails."""
MANAGED_BY = "app.kubernetes.io/managed-by"
US = "progressive-delivery"


def labels(name: str) -> dict[str, str]:
    """Labels of an object of ours for the version that is called `name`."""
    return {MANAGED_BY: US, BACKEND: name}


def is_ours(document: Mapping[str, Any], target: TargetId) -> bool:
    """Whether we made it, and for this target."""
    metadata = document["metadata"]
    by = (metadata.get("labels") or {}).get(MANAGED_BY)
    return by == US and (metadata.get("annotations") or {}).get(TARGET) == target


def demand_ours(document: Mapping[str, Any], target: TargetId) -> None:
    """Raises Refused for an object that somebody else made under a name that we need."""
    if not is_ours(document, target):
        metadata = document["metadata"]
        where = f"{document.get('kind', 'an object')} {metadata.get('namespace')}/{metadata['name']}"
        raise Refused(f"{where} is in the way: it was not made for {target}; rename or delete it")
