"""What is copied: its owners' Deployment for a candidate, and for a copy of stable the one that runs stable."""

from delivery.adapters.kube.api import Api
from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.kubernetes import configuration, identity
from delivery.adapters.workloads.kubernetes.home import OwnersWorkload
from delivery.adapters.workloads.kubernetes.reader import Reader
from delivery.adapters.workloads.kubernetes.versioned import VersionedWorkload
from delivery.model.ids import TargetId
from delivery.model.place import Mode, Place
from delivery.model.version import VersionRef
from delivery.ports.errors import Refused


def original(kube: Api, target: TargetId, place: Place, version: VersionRef) -> Document:
    """The Deployment that `version` is to be a copy of. Raises Refused where it is not there, or where stable's copy
    would not be what stable is."""
    reader = Reader(kube, place.namespace)
    if not version.is_copy:
        return reader.owners(place)
    if place.mode is Mode.OBSERVE:
        raise Refused(
            "there is no copy of stable where somebody else rolls out: mode: observe moves and starts nothing"
        )
    stable = VersionRef(version.version, version.original, version.image)
    if place.mode is Mode.VERSIONED:
        found = VersionedWorkload(kube, target, place, stable).demand()
    else:
        found = OwnersWorkload(kube, target, place).demand(stable)
    _demand_configuration(reader, place, found, stable)
    return found


def _demand_configuration(reader: Reader, place: Place, found: Document, stable: VersionRef) -> None:
    """Pods of the copy start with what its objects are now, but for those that are ours and that nobody changes."""
    known = identity.config_of(stable) or identity.started_with(found)
    if not known or configuration.named(found) or identity.fingerprint(reader.tracked(place)) == known:
        return
    raise Refused(
        f"{', '.join(place.track)} is not what {stable.version} was started with, and a copy of it would start with "
        f"what is there now: set it back, or compare with baseline: stable"
    )
