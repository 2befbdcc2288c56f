"""Several VirtualServices as one route: all are raised or none, and each is lowered at once."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from delivery.adapters.kube.objects import Document
from delivery.ports.errors import Conflict, PortError


class Replaces(Protocol):
    """What is needed of the Kubernetes API here."""

    def replace(self, body: Mapping[str, Any], *, dry_run: bool = False) -> Document: ...


def lower(kube: Replaces, changed: Sequence[Document]) -> list[Document]:
    """One that fails keeps none of the others from being lowered; then its error is raised, a conflict first: what is
    to be read again is written again at once."""
    written, errors = [], []
    for document in changed:
        try:
            written.append(kube.replace(document))
        except PortError as error:
            errors.append(error)
    if errors:
        raise next((error for error in errors if isinstance(error, Conflict)), errors[0])
    return written


def raise_all(kube: Replaces, changed: Sequence[Document], before: Sequence[Document]) -> list[Document]:
    """A refusal is found before anything is written; what was written before a failure is put back.

    Where that fails too, some are raised: the content that is read then is not what was written, and is written again.
    """
    if len(changed) > 1:
        for document in changed:
            kube.replace(document, dry_run=True)
    written: list[Document] = []
    try:
        written.extend(kube.replace(document) for document in changed)
    except PortError:
        for document, old in zip(written, before, strict=False):
            _put_back(kube, document, old)
        raise
    return written


def _put_back(kube: Replaces, written: Document, old: Document) -> None:
    """Unless somebody has changed it meanwhile."""
    metadata = {**old["metadata"], "resourceVersion": written["metadata"]["resourceVersion"]}
    with contextlib.suppress(PortError):
        kube.replace({**old, "metadata": metadata})
