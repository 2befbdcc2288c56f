"""The ConfigMaps and Secrets that pods read, and the copies of tracked ones that belong to a version. Pure.

A version's pods read copies that nobody changes: what was proven is what comes home, and an edit of the owners' own
object is a release like any other.
"""

import copy
import json
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from delivery.adapters.kube import marks
from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.kubernetes import metadata
from delivery.model.place import Place
from delivery.ports.errors import Refused

NAMES = f"{marks.PREFIX}config-names"
"""Annotation of a Deployment: what its pods read instead of tracked objects, by what these are called in the service
file."""
KINDS = {"configmap": "ConfigMap", "secret": "Secret"}
_MAP, _SECRET = KINDS
_TOKEN = "kubernetes.io/service-account-token"
Names = Mapping[str, str]
_Use = tuple[str, MutableMapping[str, Any], str]


def read_by(template: Mapping[str, Any]) -> tuple[str, ...]:
    """What its pods read: `configmap/checkout`, `secret/checkout-db`."""
    return tuple(sorted({f"{kind}/{holder[key]}" for kind, holder, key in _uses(template["spec"]) if key in holder}))


def named(document: Document) -> Names:
    """What a Deployment's pods read instead of tracked objects; empty where they read the owners' own."""
    found = metadata.note(document, NAMES)
    return found if all(isinstance(name, str) for name in found.values()) else {}


def noted(names: Names) -> dict[str, str]:
    """The annotation that says so; none where they read nothing of ours."""
    ours = {reference: name for reference, name in names.items() if name != reference.partition("/")[2]}
    return {NAMES: json.dumps(ours, sort_keys=True)} if ours else {}


def objects(names: Names) -> tuple[str, ...]:
    """The objects that are read instead: `configmap/checkout-1-4-2-5f0c3a1e-checkout`."""
    return tuple(f"{reference.partition('/')[0]}/{name}" for reference, name in names.items())


def of_copy(place: Place, name: str) -> dict[str, str]:
    """What the copies of tracked objects are called for a version whose objects are called `name`."""
    return {reference: f"{name}-{reference.partition('/')[2]}" for reference in place.track}


def redirected(template: Mapping[str, Any], before: Names, after: Names) -> Document:
    """The template with pods that read `after` where they read the owners' objects, or `before` instead of those."""
    changed: Document = copy.deepcopy(dict(template))
    for kind, holder, key in _uses(changed["spec"]):
        for reference, name in after.items():
            of, _, original = reference.partition("/")
            if kind == of and holder.get(key) in (original, before.get(reference)):
                holder[key] = name
                break
    return changed


def original(template: Mapping[str, Any], names: Names) -> tuple[str, ...]:
    """What its pods read, as its owners call it."""
    owners = dict(zip(objects(names), names, strict=True))
    return tuple(sorted({owners.get(reference, reference) for reference in read_by(template)}))


def wrong(deployment: Document, place: Place) -> Iterator[str]:
    """References of the service file that nothing of the Deployment reads."""
    reads = original(deployment["spec"]["template"], named(deployment))
    for key, references in (("track", place.track), ("share", place.share)):
        for reference in references:
            if reference not in reads:
                known = ", ".join(reads) or "none"
                yield f"config.{key} has {reference}, which none of its containers reads; they read: {known}"


def unnamed(deployment: Document, place: Place) -> tuple[str, ...]:
    """What its pods read and the service file does not name."""
    reads = original(deployment["spec"]["template"], named(deployment))
    return tuple(reference for reference in reads if reference not in (*place.track, *place.share))


def copied(tracked: Document, name: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> Document:
    """A tracked object as it is now, under another name, for good. Raises Refused for what cannot be copied."""
    if tracked.get("type") == _TOKEN:
        where = f"{tracked['metadata'].get('namespace')}/{tracked['metadata']['name']}"
        raise Refused(f"Secret {where} is the token of a service account: put it below config.share")
    kept: Document = {key: copy.deepcopy(tracked[key]) for key in ("data", "binaryData", "type") if key in tracked}
    metadata = {
        "name": name,
        "namespace": tracked["metadata"]["namespace"],
        "labels": dict(labels),
        "annotations": dict(annotations),
    }
    return {"apiVersion": "v1", "kind": tracked["kind"], "metadata": metadata, "immutable": True, **kept}


def _uses(spec: Mapping[str, Any]) -> Iterator[_Use]:
    """Each place that names an object: its kind, the mapping and the key in which the name is."""
    for volume in spec.get("volumes") or ():
        yield from _sources(volume, "secretName")
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield from _sources(source, "name")
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for source in container.get("envFrom") or ():
            yield from _found(source, "configMapRef", "secretRef")
        for variable in container.get("env") or ():
            yield from _found(variable.get("valueFrom") or {}, "configMapKeyRef", "secretKeyRef")


def _sources(holder: Mapping[str, Any], secret: str) -> Iterator[_Use]:
    if holder.get("configMap") is not None:
        yield _MAP, holder["configMap"], "name"
    if holder.get("secret") is not None:
        yield _SECRET, holder["secret"], secret


def _found(holder: Mapping[str, Any], of_map: str, of_secret: str) -> Iterator[_Use]:
    for kind, key in ((_MAP, of_map), (_SECRET, of_secret)):
        if holder.get(key) is not None:
            yield kind, holder[key], "name"
