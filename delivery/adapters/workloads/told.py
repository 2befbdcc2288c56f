"""What of a version's image a parameter or a file is set to. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from delivery.adapters.kube import images
from delivery.model.place import Told
from delivery.model.version import VersionRef
from delivery.ports.errors import Refused


def told(version: VersionRef, what: Told, where: str) -> str:
    """Raises Refused where the version does not say it. `where` is what is set."""
    image = version.image or ""
    found = {
        Told.TAG: images.tag(image),
        Told.DIGEST: images.digest(image),
        Told.IMAGE: image,
        Told.VERSION: version.version,
    }[what]
    if not found:
        named = f"{version.version} ({image or 'no image'})"
        raise Refused(f"{named} has no {what.value} to set {where} to: the event has to say it")
    return found


def demand_way_back(image: str, what: Told, where: str) -> None:
    """Raises Refused where what runs now could not be told by the same way: nothing could be taken back."""
    if what is not Told.VERSION:
        told(VersionRef.of("what runs now", image), what, where)


def may_run(image: str, version: VersionRef) -> bool:
    """Whether a Deployment that names this image may run the version. A tag says less than a digest, and it is by a tag
    that deployers are told as a rule: whether its pods run just that is looked at afterwards."""
    asked = version.image or ""
    if images.digest(image) and images.digest(asked):
        return images.digest(image) == images.digest(asked)
    same = images.repository(image) == images.repository(asked)
    return same and images.tag(image) in (images.tag(asked), version.version)


def note_in(text: str | None) -> Mapping[str, Any]:
    """What we noted at our last write; empty where there is no note, or others have made something else of it."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("tries", 0), int) else {}
