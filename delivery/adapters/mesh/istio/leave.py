"""A VirtualService as it is without us: document in, document out. Pure."""

import copy

from delivery.adapters.kube.objects import Document
from delivery.adapters.mesh.istio import hosts, stamps


def without(document: Document, service: str) -> Document:
    """Our routes, our destinations and our note taken out; everything else as it is."""
    written = stamps.read(document, service)
    ours = frozenset(written.ours if written else ())
    namespace = document["metadata"].get("namespace", "")
    changed = copy.deepcopy(document)
    kept = [one for one in stamps.http(changed) if not stamps.is_ours(one, service)]
    for route in kept:
        entries = route.get("route") or []
        left = [entry for entry in entries if hosts.label_of(entry, namespace) not in ours]
        if left and len(left) < len(entries):
            route["route"] = [{**entry, "weight": 100} if len(left) == 1 else entry for entry in left]
    changed["spec"]["http"] = kept
    changed["metadata"].get("annotations", {}).pop(stamps.key(service), None)
    return changed


def carries_users(document: Document, service: str) -> bool:
    """Whether users would lose what answers them: a version of ours gets requests now."""
    written = stamps.read(document, service)
    namespace = document["metadata"].get("namespace", "")
    if written is None:
        return False
    theirs = [one for one in stamps.http(document) if one.get("name") != stamps.name_of(service, stamps.PROBE)]
    entries = [entry for one in theirs for entry in one.get("route") or []]
    return any(entry.get("weight", 100) and hosts.label_of(entry, namespace) in written.ours for entry in entries)
