"""Every VirtualService of a cluster, kept up to date in the background by one list and one watch.

So an idle release costs no request. Nothing here decides a write: writes read afresh and are conditional.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import ISTIO, Document, path
from delivery.ports.errors import Conflict, PortError, Unavailable

WATCH_SECONDS = 60
STALE = 90.0
"""Seconds without a word after which what is known is not told any more. The server sends bookmarks meanwhile."""
FIRST_SECONDS = 5.0
PAUSES = (0.2, 1.0, 5.0)
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class View:
    """Documents by namespace and name, and for each namespace a number that grows with every change in it."""

    documents: Mapping[Key, Document]
    changes: Mapping[str, int]


class Watch:
    """Starts with the first question, and ends with `close` or its process."""

    def __init__(self, kube: Kube, kind: str = "VirtualService") -> None:
        self._kube = kube
        self._path = path(ISTIO, kind)
        self._documents: dict[Key, Document] = {}
        self._changes: dict[str, int] = {}
        self._lock = threading.Lock()
        self._heard = float("-inf")
        self._trouble = "nothing was heard yet"
        self._synced = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def view(self) -> View:
        """What is known now. Raises Unavailable where nothing was heard for long."""
        self._start()
        self._synced.wait(FIRST_SECONDS)
        with self._lock:
            if time.monotonic() - self._heard > STALE:
                raise Unavailable(f"the watch of VirtualServices does not get through: {self._trouble}")
            return View(dict(self._documents), dict(self._changes))

    def take(self, document: Document) -> None:
        """What we have just written ourselves, so that it is seen at once."""
        with self._lock:
            known = self._documents.get(_key(document))
            if known is None or _version(known) < _version(document):
                self._put(document)

    def close(self) -> None:
        """The thread ends with its current wait at the latest."""
        self._ended.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="virtualservices", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        since, failures = "", 0
        while not self._ended.is_set():
            try:
                since = self._follow(since) if since else self._list()
                failures = 0
            except Conflict:  # too old: what was missed is unknown
                since = ""
            except PortError as error:
                self._trouble = str(error)
                self._ended.wait(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1

    def _list(self) -> str:
        listed = self._kube.get(self._path)
        found = {_key(each): each for each in listed["items"]}
        with self._lock:
            for key in self._documents.keys() - found.keys():
                self._drop(key)
            for key, document in found.items():
                if _version(self._documents.get(key)) < _version(document):
                    self._put(document)
            self._heard = time.monotonic()
        self._synced.set()
        return str(listed["metadata"]["resourceVersion"])

    def _follow(self, since: str) -> str:
        with self._kube.watch(self._path, since, WATCH_SECONDS, allowWatchBookmarks="true") as events:
            for event in events:
                since = str(event["object"]["metadata"]["resourceVersion"])
                self._hear(event["type"], event["object"])
                if self._ended.is_set():
                    break
        with self._lock:
            self._heard = time.monotonic()
        return since

    def _hear(self, kind: str, document: Document) -> None:
        with self._lock:
            self._heard = time.monotonic()
            if kind == "BOOKMARK":
                return
            if kind == "DELETED":
                self._drop(_key(document))
            elif _version(self._documents.get(_key(document))) < _version(document):
                self._put(document)

    def _put(self, document: Document) -> None:
        self._documents[_key(document)] = document
        self._change(_key(document)[0])

    def _drop(self, key: Key) -> None:
        if self._documents.pop(key, None) is not None:
            self._change(key[0])

    def _change(self, namespace: str) -> None:
        self._changes[namespace] = self._changes.get(namespace, 0) + 1


def _key(document: Document) -> Key:
    return document["metadata"]["namespace"], document["metadata"]["name"]


def _version(document: Document | None) -> int:
    """Numbers that grow, within one kind of object: the API guarantees it since Kubernetes 1.35, etcd did always."""
    return int(document["metadata"]["resourceVersion"]) if document is not None else -1
