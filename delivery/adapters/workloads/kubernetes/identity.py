"""Which version a Deployment runs: its image, by digest where anybody knows it, and its tracked configuration. Pure."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from delivery.adapters.kube import images, marks
from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.kubernetes import configuration, metadata
from delivery.adapters.workloads.kubernetes.clone import CONFIG
from delivery.model.version import VersionRef

PROMOTED = f"{marks.PREFIX}promoted"
"""Annotation of the owners' Deployment: what we patched it to."""
_NOTED = {"version": str, "identity": str, "image": str, "copy": str, "tries": int}
_CONFIG = "+config:"
_LABELS = ("app.kubernetes.io/version", "version")


def running(
    deployment: Document,
    pods: Iterable[Document],
    names: Sequence[str],
    tracked: Callable[[], Sequence[Document]] = tuple,
) -> VersionRef:
    """The version of a Deployment; `pods` are those of its newest template, `names` what its container may be called.

    One that we promoted is known by what we were told then, as long as it runs just that: the image, and the copies of
    tracked configuration. Elsewhere `tracked` is asked for its owners' own. Raises Refused where it is
    not clear which container is meant.
    """
    container = images.container(deployment["spec"]["template"], names)
    image = container["image"]
    noted = note(deployment)
    if noted.get("image") == image and reads_what_it_was_given(deployment):
        return VersionRef(noted["version"], noted["identity"], image)
    digest = images.digest(image) or images.running_digest(pods, container["name"])
    exact = image if images.digest(image) or not digest else f"{image}@{digest}"
    config = started_with(deployment) or fingerprint(tracked())
    return VersionRef(_label(deployment, image), (digest or image) + (_CONFIG + config if config else ""), exact)


def is_version(found: VersionRef, version: VersionRef) -> bool:
    """Whether what was found is the version that was asked for."""
    if found.identity == version.identity:
        return True
    if found.configuration != version.configuration:
        return False
    configs = {config_of(found), config_of(version)} - {""}
    if len(configs) > 1:
        return False
    if version.image:
        return images.runs(found.image or "", version.image)
    return version.identity == version.version == found.version


def config_of(version: VersionRef) -> str:
    """The tracked configuration that is part of the version's identity; nothing where an event knew the image alone."""
    return version.identity.partition(_CONFIG)[2]


def reads_what_it_was_given(deployment: Document) -> bool:
    """Whether its pods read the copies of tracked configuration that we had them read, and nowhere the owners' own; so
    do those without copies."""
    names, reads = configuration.named(deployment), set(configuration.read_by(deployment["spec"]["template"]))
    return set(configuration.objects(names)) <= reads and reads.isdisjoint(names)


def note(deployment: Document) -> Mapping[str, Any]:
    """What we noted when we promoted it; empty where we did not, or where that cannot be told any more."""
    found = metadata.note(deployment, PROMOTED)
    return found if all(isinstance(found.get(key), kind) for key, kind in _NOTED.items()) else {}


def started_with(deployment: Document) -> str:
    """The tracked configuration that its pods were started with, where that is known."""
    annotations = deployment["spec"]["template"]["metadata"].get("annotations") or {}
    return str(annotations.get(CONFIG, ""))


def fingerprint(tracked: Sequence[Document]) -> str:
    """Of ConfigMaps and Secrets, by what is in them; nothing for none. A Secret's cannot be guessed from outside."""
    if not tracked:
        return ""
    told = [
        [one["kind"], one["metadata"]["name"], one.get("data") or {}, one.get("binaryData") or {}]
        + ([one["metadata"]["uid"]] if one["kind"] == "Secret" else [])
        for one in tracked
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


def _label(deployment: Document, image: str) -> str:
    """The version that people read: the image's tag, which cannot lag behind the image as a label can."""
    tag = images.tag(image)
    if tag and tag != images.LATEST:
        return tag
    labels = deployment["spec"]["template"]["metadata"].get("labels") or {}
    for key in _LABELS:
        if labels.get(key):
            return str(labels[key])
    return tag or images.digest(image)[:19] or "unknown"
