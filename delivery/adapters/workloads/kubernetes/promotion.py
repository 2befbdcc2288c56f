"""The owners' Deployment is made to run the version that was proven beside it. Pure."""

import copy
import json
from collections.abc import Mapping
from typing import Any

from delivery.adapters.kube import images, marks
from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.kubernetes import configuration, identity
from delivery.adapters.workloads.kubernetes.clone import CONFIG, COPIED_FROM
from delivery.model.version import VersionRef

CLAIM = f"{marks.PREFIX}decided-by"
"""Annotation of the owners' Deployment: release and event that had it written last."""
LEFT = 20  # names of copies of configuration that are remembered until they are deleted
Names = Mapping[str, str]
TRIES = 3  # patches of one promotion: who sets them back wins after that


def configuration_for(deployment: Document, version: VersionRef, twin: Document | None) -> tuple[Names, str]:
    """What its pods are to read instead of tracked objects, and the hash of that: what the version's copy reads.

    Without a copy it goes back to what they read before the last promotion, if this is another version, else nothing
    changes. No hash: what the owners' own objects are now.
    """
    if twin is not None:
        return configuration.named(twin), identity.started_with(twin)
    noted, now = identity.note(deployment), configuration.named(deployment)
    if noted.get("identity") in (None, version.identity):
        return now, identity.started_with(deployment) if now else ""
    before: Names = noted.get("before", {})
    return {reference: before.get(reference, _owners(reference)) for reference in now}, noted.get("config_before", "")


def kept_configuration(deployment: Document) -> frozenset[str]:
    """The ConfigMaps and Secrets that its pods read, or would read again if the last promotion were taken back."""
    before = configuration.objects(identity.note(deployment).get("before", {}))
    return frozenset(before) | frozenset(configuration.read_by(deployment["spec"]["template"]))


def spare_configuration(deployment: Document) -> frozenset[str]:
    """Those that were kept for a way back, and that nothing reads once there is none."""
    noted = identity.note(deployment)
    kept = frozenset(noted.get("left", ())) | kept_configuration(deployment)
    return kept - frozenset(configuration.read_by(deployment["spec"]["template"]))


def is_promoted(
    deployment: Document, version: VersionRef, container: str, config: str, names: Mapping[str, str] | None = None
) -> bool:
    """Whether it is to run just this version already. `config` is the hash of the tracked configuration of now, `names`
    what its pods are to read instead of tracked objects.

    With the same image its pods are only started anew for a version that is this configuration, and where they are
    known to have another: a way back to what never left must restart nothing.
    """
    template = deployment["spec"]["template"]
    found = images.container(template, (container,))
    same = version.image is not None and images.runs(found["image"], version.image)
    if names and configuration.redirected(template, configuration.named(deployment), names) != template:
        return False
    stale = identity.started_with(deployment) not in ("", config)
    return same and not (stale and identity.config_of(version) == config)


def is_claimed(deployment: Document, token: str) -> bool:
    """Whether this decision was the last to write it: then no older one that comes late can."""
    return not token or (deployment["metadata"].get("annotations") or {}).get(CLAIM) == token


def claimed(deployment: Document, token: str) -> Document:
    """The Deployment with the token of the decision on it."""
    if not token:
        return deployment
    changed = copy.deepcopy(deployment)
    changed["metadata"].setdefault("annotations", {})[CLAIM] = token
    return changed


def in_the_way(deployment: Document, version: VersionRef, container: str, twin: Document | None) -> str:
    """Why the Deployment may not be patched; nothing where it may. `twin` is the version's copy, where it has one.

    It may where it runs what the copy was made from, or what we have put there ourselves.
    """
    name = f"Deployment {deployment['metadata']['namespace']}/{deployment['metadata']['name']}"
    runs = images.container(deployment["spec"]["template"], (container,))["image"]
    noted, who = identity.note(deployment), manager(deployment, container)
    by = f" by {who}" if who else ""
    if version.image is None:
        return f"{name} cannot be patched to {version.version}: the event did not say which image that is"
    if _is_of(noted, twin, version) and noted["tries"] >= TRIES:
        return (
            f"{name} was patched to {version.image} {TRIES} times and set back to {runs}{by}: let its owner take the "
            f"new image, or leave the image of container {container}, and what it reads of config.track, out of what "
            f"it keeps"
        )
    started = (twin["metadata"].get("annotations") or {}).get(COPIED_FROM) if twin else None
    known = {started, noted.get("image")} - {None}
    if known and runs not in known:
        expected = started or noted["image"]
        return (
            f"{name} runs {runs}, set{by}, and not {expected} as when this release began: abort the release, or set "
            f"{expected} again"
        )
    return ""


def promoted(
    deployment: Document,
    version: VersionRef,
    container: str,
    config: str,
    twin: Document | None,
    names: Mapping[str, str] | None = None,
) -> Document:
    """The Deployment with the version's image and configuration, and a note of what we did; all else is the owners'."""
    if version.image is None:
        raise ValueError(f"{version.version} has no image")
    changed = copy.deepcopy(deployment)
    template = images.with_image(changed["spec"]["template"], container, version.image)
    before, after = configuration.named(deployment), names or {}
    template = configuration.redirected(template, before, after)
    if config:
        template["metadata"].setdefault("annotations", {})[CONFIG] = config
    changed["spec"]["template"] = template
    noted = identity.note(deployment)
    note: dict[str, Any] = {
        "version": version.version,
        "identity": version.identity,
        "image": version.image,
        "copy": _uid(twin),
        "tries": noted["tries"] + 1 if _is_of(noted, twin, version) else 1,
    }
    annotations = changed["metadata"].setdefault("annotations", {})
    if before or after:
        note |= _history(noted, deployment, after, again=note["tries"] > 1)
        annotations.pop(configuration.NAMES, None)
        annotations |= configuration.noted(after)
    annotations[identity.PROMOTED] = json.dumps(note, sort_keys=True)
    return changed


def _history(noted: Mapping[str, Any], deployment: Document, after: Names, *, again: bool) -> dict[str, Any]:
    """What its pods read before, for the way back, and what was left over by promotions before that."""
    kept = ("before", "config_before", "left")
    if again:
        return {key: noted[key] for key in kept if key in noted}
    now = configuration.named(deployment)
    before = {reference: now.get(reference, _owners(reference)) for reference in {**now, **after}}
    older = configuration.objects(noted.get("before", {})) if noted else ()
    left = [*noted.get("left", []), *older][-LEFT:]
    return dict(zip(kept, (before, identity.started_with(deployment), left), strict=True))


def _owners(reference: str) -> str:
    """The owners' own name of what a service file calls `configmap/checkout`."""
    return reference.partition("/")[2]


def manager(deployment: Document, container: str) -> str:
    """Who set the image last, as the API server has noted it."""
    fields = ("f:spec", "f:template", "f:spec", "f:containers", f'k:{{"name":"{container}"}}', "f:image")
    found = []
    for entry in deployment["metadata"].get("managedFields") or ():
        node = entry.get("fieldsV1") or {}
        for field in fields:
            node = node.get(field) if isinstance(node, dict) else None
        if node is not None:
            found.append((entry.get("time", ""), entry.get("manager", "")))
    return str(max(found)[1]) if found else ""


def _is_of(noted: object, twin: Document | None, version: VersionRef) -> bool:
    """Whether the note is of this very promotion."""
    if not isinstance(noted, dict) or not noted:
        return False
    return bool(noted["copy"] == _uid(twin) and noted["identity"] == version.identity)


def _uid(twin: Document | None) -> str:
    return str(twin["metadata"]["uid"]) if twin else ""
