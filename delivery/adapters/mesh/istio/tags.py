"""Trace tags by release: what the candidate's sidecars add to every span. Documents in, documents out. Pure.

Istio joins every Telemetry that selects a pod, and of their custom tags the last ones replace all others: theirs are
carried over, so that ours come on top.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from delivery.adapters.kube import labels, marks
from delivery.adapters.kube.objects import Document
from delivery.model.place import object_name
from delivery.model.traffic import ALL_CANDIDATE
from delivery.model.version import Backend
from delivery.ports.mesh import Route

KIND = "Telemetry"
VERSION = "telemetry.istio.io/v1"
RELEASE_TAG, VERSION_TAG = "delivery.release", "delivery.version"
_MODES = ("CLIENT", "SERVER")


def wanted(route: Route) -> bool:
    """While a candidate has part of the traffic, or copies of it. What has everything is told by its own labels."""
    traffic = route.traffic
    if route.candidate is None or route.candidate.home or traffic == ALL_CANDIDATE:
        return False
    return traffic.exposes or traffic.mirror is not None


def told(backend: Backend) -> str:
    """As the stamp keeps it."""
    return f"{KIND}/{object_name(backend)}"


def document(
    route: Route, backend: Backend, namespace: str, selector: Mapping[str, str], theirs: Mapping[str, Any]
) -> Document:
    """The object. `theirs`: the tags that would be there without it, by mode."""
    name = object_name(backend)
    return {
        "apiVersion": VERSION,
        "kind": KIND,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": marks.labels(name),
            "annotations": {marks.TARGET: route.target},
        },
        "spec": {"selector": {"matchLabels": dict(selector)}, "tracing": _tracing(route, backend, theirs)},
    }


def in_force(root: Iterable[Document], local: Iterable[Document], pod: Mapping[str, str]) -> dict[str, Any]:
    """The custom tags of each mode for a pod with these labels, by the Telemetries of the root and its own namespace.

    Those of the whole mesh come first, then those of the namespace, then those that select the pod, the oldest first.
    """
    general = [one for one in local if _is_general(one)]
    selecting = [one for one in local if not _is_general(one) and _selects(one, pod)]
    found: dict[str, Any] = {}
    for one in (*filter(_is_general, root), *general, *sorted(selecting, key=_age)):
        for entry in (one.get("spec") or {}).get("tracing") or ():
            if entry.get("customTags") is not None:
                mode = (entry.get("match") or {}).get("mode")
                found |= dict.fromkeys(_MODES if mode not in _MODES else (mode,), entry["customTags"])
    return found


def _tracing(route: Route, backend: Backend, theirs: Mapping[str, Any]) -> list[dict[str, Any]]:
    ours = {
        RELEASE_TAG: {"literal": {"value": f"{route.service}#{route.tag}"}},
        VERSION_TAG: {"literal": {"value": backend.version.version}},
    }
    tags = {mode: {**theirs.get(mode, {}), **ours} for mode in _MODES}
    if tags["CLIENT"] == tags["SERVER"]:
        return [{"customTags": tags["CLIENT"]}]
    return [{"match": {"mode": mode}, "customTags": each} for mode, each in tags.items()]


def _is_general(found: Document) -> bool:
    spec = found.get("spec") or {}
    selector = (spec.get("selector") or {}).get("matchLabels")
    return not selector and not spec.get("targetRef") and not spec.get("targetRefs")


def _selects(found: Document, pod: Mapping[str, str]) -> bool:
    """Those of ours are left out: of another release, or of this one."""
    spec = found.get("spec") or {}
    if (found["metadata"].get("labels") or {}).get(marks.MANAGED_BY) == marks.US:
        return False
    if spec.get("targetRef") or spec.get("targetRefs"):
        return False  # those are about gateways and waypoints
    return labels.selects(spec.get("selector") or {}, pod)


def _age(found: Document) -> str:
    return str(found["metadata"].get("creationTimestamp", ""))
