"""Reads of the Kubernetes API out of watches, so that looking again at what has not changed costs no request.

Of each namespace only the kinds are watched that somebody asked for. Whoever asks has to be ready to ask the API server
itself: Unseen is raised for every write, and for all that is not known to be as it is now.
"""

import re
import threading
from collections.abc import Mapping
from typing import Any, NoReturn

from delivery.adapters.kube import labels
from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import Document, path
from delivery.adapters.kube.watch import Watch

MOST_OBJECTS = 1000
"""Of one kind in one namespace: with more, each look asks the API server."""
MOST_WATCHES = 100
"""At once, in one process."""
REFUSED = 300.0
"""Seconds until a watch is tried again that was refused: for want of a right, or for too many objects."""
_Collection = tuple[str, str, str]


class Unseen(Exception):
    """Only the API server itself can answer."""


class Observed:
    """`kinds` may be watched: pairs of API version and kind."""

    def __init__(self, kube: Kube, kinds: tuple[tuple[str, str], ...]) -> None:
        self._kube = kube
        self._kinds = kinds
        self._watches: dict[_Collection, Watch] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Ends what works in the background."""
        with self._lock:
            for watch in self._watches.values():
                watch.close()

    def find(self, path: str) -> Document | None:
        collection, name = self._located(path)
        found = self._documents(collection).get((collection[2], name))
        return None if found is None else _whole(collection, found)

    def items(
        self, version: str, kind: str, namespace: str, selector: Mapping[str, Any] | None = None
    ) -> list[Document]:
        if (version, kind) not in self._kinds:
            raise Unseen
        collection = (version, kind, namespace)
        found = self._documents(collection).values()
        return [_whole(collection, one) for one in found if selector is None or _fits(one, selector)]

    def _located(self, where: str) -> tuple[_Collection, str]:
        """The collection of an object at a path, and its name."""
        match = re.fullmatch(r".*/namespaces/([^/]+)/[^/]+/([^/]+)", where)
        if match is not None:
            namespace, name = match.groups()
            for version, kind in self._kinds:
                if path(version, kind, namespace, name) == where:
                    return (version, kind, namespace), name
        raise Unseen

    def _documents(self, collection: _Collection) -> Mapping[tuple[str, str], Document]:
        watch = self._watch(collection)
        found = watch.current() if watch is not None else None
        if found is None:
            raise Unseen
        return found

    def _watch(self, collection: _Collection) -> Watch | None:
        """None where there are as many as there may be."""
        with self._lock:
            if collection not in self._watches and len(self._watches) >= MOST_WATCHES:
                self._watches = {key: one for key, one in self._watches.items() if one.is_running}
            if collection not in self._watches and len(self._watches) < MOST_WATCHES:
                self._watches[collection] = Watch(self._kube, path(*collection), most=MOST_OBJECTS, refused=REFUSED)
            return self._watches.get(collection)

    def _unseen(self, *_: object, **__: object) -> NoReturn:
        raise Unseen

    get = text = create = replace = patch = delete = _unseen


def _whole(collection: _Collection, found: Document) -> Document:
    """As a read of the object itself has it: in lists its kind is left out."""
    return {"apiVersion": collection[0], "kind": collection[1], **found}


def _fits(found: Document, selector: Mapping[str, Any]) -> bool:
    return labels.selects(selector, found["metadata"].get("labels") or {})
