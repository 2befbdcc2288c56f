"""The VirtualServices of a target, and what is read off them."""

from collections.abc import Sequence

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import ISTIO, Document, path
from delivery.adapters.mesh.istio import document, stamps
from delivery.adapters.mesh.istio.stamps import Written
from delivery.model.codec import digest
from delivery.model.place import Place
from delivery.ports.mesh import Live

KIND = "VirtualService"


def fetch(kube: Kube, place: Place) -> list[Document]:
    """The VirtualServices of its namespace, or those that the service file names, as far as they are there."""
    if not place.routes:
        return list(kube.get(path(ISTIO, KIND, place.namespace))["items"])
    named = (kube.find(path(ISTIO, KIND, place.namespace, ref.virtual_service)) for ref in place.routes)
    return [each for each in named if each is not None]


def missing(documents: Sequence[Document], place: Place) -> str | None:
    """The first that the service file names and that is not among these."""
    there = {each["metadata"]["name"] for each in documents}
    return min((ref.virtual_service for ref in place.routes if ref.virtual_service not in there), default=None)


def select(documents: Sequence[Document], place: Place, service: str) -> list[Document]:
    """Those of a namespace that are the target's, by name."""
    found = [each for each in documents if document.leads_to(each, place, service)]
    return sorted(found, key=lambda each: str(each["metadata"]["name"]))


def live(documents: Sequence[Document], place: Place, service: str) -> Live:
    """The target's route, over all of its VirtualServices."""
    written = newest(documents, service)
    revision = ",".join(f"{each['metadata']['name']}@{each['metadata']['resourceVersion']}" for each in documents)
    weight = max((document.weight(each, service, place) for each in documents), default=0) if written else 0
    ours, stamp = content(documents, place, service), written.stamp if written else None
    return Live(revision or "none", stamp, ours, weight, paused(documents))


def content(documents: Sequence[Document], place: Place, service: str) -> str:
    """A digest of all that is ours; empty where there is nothing of ours."""
    parts = {str(each["metadata"]["name"]): document.part(each, service, place) for each in documents}
    if not any(part is not None for part in parts.values()):
        return ""
    return digest(parts)


def newest(documents: Sequence[Document], service: str) -> Written | None:
    """What was written last: where a write reached some of them only, they differ."""
    found = [written for each in documents if (written := stamps.read(each, service))]
    return max(found, key=lambda written: (written.stamp.epoch, written.rev), default=None)


def paused(documents: Sequence[Document]) -> str | None:
    """Why somebody has stopped our writes, and where."""
    for each in documents:
        if (reason := stamps.annotations(each).get(stamps.PAUSE)) is not None:
            metadata = each["metadata"]
            where = f"VirtualService {metadata['namespace']}/{metadata['name']}"
            return f"{where} has the annotation {stamps.PAUSE} ({reason}); remove it to go on"
    return None
