"""Small changes of objects that others write too."""

from collections.abc import Callable, Iterable
from contextlib import suppress

from delivery.adapters.kube import marks
from delivery.adapters.kube.api import Api
from delivery.adapters.kube.objects import Document, path_of
from delivery.adapters.workloads.kubernetes import capacity
from delivery.adapters.workloads.kubernetes.reader import Reader
from delivery.model.ids import TargetId
from delivery.ports.errors import Conflict, Refused, Unavailable

TRIES = 3
Change = Callable[[Document], Document | None]


def edit(kube: Api, where: str, change: Change) -> Document | None:
    """Writes what `change` makes of the object as it is now, if it is still that; None from it: nothing to write.

    Returns the object as it is then; None where there is none. Raises Unavailable where others write all the time.
    """
    for _ in range(TRIES):
        found = kube.find(where)
        wanted = change(found) if found is not None else None
        if wanted is None:
            return found
        try:
            return kube.replace(wanted)
        except Conflict:
            continue
    raise Unavailable(f"{where} changes faster than it can be written")


def pinned(kube: Api, found: Document, by: str) -> Document:
    """The object, marked as used by a release: a deletion that was decided before then fails."""
    if is_pinned(found, by):
        return found
    return kube.patch(path_of(found), {"metadata": {"annotations": {marks.USED_BY: by}}})


def is_pinned(found: Document, by: str) -> bool:
    """Whether it is marked so; also where nobody says which release it is."""
    return not by or (found["metadata"].get("annotations") or {}).get(marks.USED_BY) == by


def delete(kube: Api, read: Document, still: Callable[[], bool], asked: Callable[[Document], object]) -> None:
    """Deletes what was read, if it is still ours to take away; a new status of it does not count.

    `asked` is what is wanted of it. Raises Conflict where it is not ours, Unavailable where it is needed again.
    """
    found: Document | None = read
    for _ in range(TRIES):
        if found is None:
            return
        if (asked(found), _use(found)) != (asked(read), _use(read)):
            break
        if not still():
            raise Conflict(f"somebody else has {found['metadata']['annotations'][marks.TARGET]} by now")
        metadata = found["metadata"]
        with suppress(Conflict):
            kube.delete(path_of(found), uid=metadata["uid"], revision=metadata["resourceVersion"])
            return
        found = kube.find(path_of(found))
    raise Unavailable(f"{path_of(read)} has just been changed: it is to be looked at again")


def _use(found: Document) -> tuple[object, ...]:
    metadata = found["metadata"]
    return metadata["uid"], (metadata.get("annotations") or {}).get(marks.USED_BY)


def create(kube: Api, document: Document, target: TargetId) -> Document:
    """Makes an object of ours; one that is there already is as good, if it is this target's.

    Raises Refused for somebody else's, Unavailable for a conflict of another kind: a quota that is counted just now.
    """
    with suppress(Conflict):
        return kube.create(document)
    found = kube.find(path_of(document))
    if found is None:
        raise Unavailable(f"{path_of(document)} could not be made just now")
    marks.demand_ours(found, target)
    return found


def drop_copy(kube: Api, target: TargetId, reader: Reader, reference: str, still: Callable[[], bool]) -> None:
    """Deletes a copy of tracked configuration that is ours and that nothing needs any more. Harmless to repeat.

    Raises Unavailable.
    """
    try:
        found = reader.configuration(reference)
        if found is not None and marks.is_ours(found, target):
            delete(kube, found, still, lambda one: one["metadata"]["uid"])
    except Refused as error:  # a right that may still be given: the rest of the version is gone already
        raise Unavailable(str(error)) from error


def keep_capacity(
    kube: Api, target: TargetId, deployment: Document, autoscalers: Iterable[Document], by: str = ""
) -> None:
    """Has its autoscalers take away nothing of what runs now, for a release. Harmless to repeat."""
    replicas = deployment["spec"].get("replicas", 1)
    for hpa in autoscalers:
        if capacity.pinned(hpa, target, replicas, by) is not None:
            edit(kube, path_of(hpa), lambda found: capacity.pinned(found, target, replicas, by))


def free_capacity(kube: Api, target: TargetId, autoscalers: Iterable[Document]) -> None:
    """Gives autoscalers that were kept for this target back to their owners. Harmless to repeat."""
    for hpa in autoscalers:
        if capacity.freed(hpa, target) is not None:
            edit(kube, path_of(hpa), lambda found: capacity.freed(found, target))
