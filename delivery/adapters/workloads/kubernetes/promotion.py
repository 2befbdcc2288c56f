"""The owners' Deployment is made to run the version that was proven beside it. Pure."""

import copy
import json

from delivery.adapters.kube import marks
from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.kubernetes import identity, images
from delivery.adapters.workloads.kubernetes.clone import CONFIG, COPIED_FROM
from delivery.model.version import VersionRef

CLAIM = f"{marks.PREFIX}decided-by"
"""Annotation of the owners' Deployment: release and event that had it written last."""
TRIES = 3  # patches of one promotion: who sets them back wins after that


def is_promoted(deployment: Document, version: VersionRef, container: str, config: str) -> bool:
    """Whether it is to run just this version already. `config` is the hash of the tracked configuration of now.

    With the same image its pods are only started anew for a version that is this configuration, and where they are
    known to have another: a way back to what never left must restart nothing.
    """
    found = images.container(deployment["spec"]["template"], (container,))
    same = version.image is not None and images.runs(found["image"], version.image)
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
            f"new image, or leave the image of container {container} out of what it keeps"
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


def promoted(deployment: Document, version: VersionRef, container: str, config: str, twin: Document | None) -> Document:
    """The Deployment with the version's image, and a note of what we did; all else is the owners'."""
    if version.image is None:
        raise ValueError(f"{version.version} has no image")
    changed = copy.deepcopy(deployment)
    template = images.with_image(changed["spec"]["template"], container, version.image)
    if config:
        template["metadata"].setdefault("annotations", {})[CONFIG] = config
    changed["spec"]["template"] = template
    noted = identity.note(deployment)
    note = {
        "version": version.version,
        "identity": version.identity,
        "image": version.image,
        "copy": _uid(twin),
        "tries": noted["tries"] + 1 if _is_of(noted, twin, version) else 1,
    }
    changed["metadata"].setdefault("annotations", {})[identity.PROMOTED] = json.dumps(note, sort_keys=True)
    return changed


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
