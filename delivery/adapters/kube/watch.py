"""The objects of one kind, kept up to date in the background by one list and one watch.

Nothing here decides a write: writes read afresh and are conditional.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import Document
from delivery.ports.errors import Conflict, PortError, Refused, Unavailable

WATCH_SECONDS = 300
QUIET = 90.0
"""Seconds of silence after which everything is listed again: the server sends a bookmark a minute, so that something
between may be keeping what it sends."""
STALE = 100.0
"""Seconds without a word after which what is known is not told any more."""
BETWEEN = 2.0
"""Seconds for which what is known counts as current between the end of a watch and the beginning of the next."""
IDLE = 300.0
"""Seconds after which a watch ends that nobody has asked."""
FIRST_SECONDS = 5.0
SHORT = 1.0
"""Seconds in which a watch that ends without a word has come to nothing."""
PAUSES = (0.2, 1.0, 5.0)
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class View:
    """Documents by namespace and name, and for each namespace a number that grows with every change in it."""

    documents: Mapping[Key, Document]
    changes: Mapping[str, int]


class Watch:
    """Of a collection. Starts with the first question; ends when nobody asks any more, with `close` or its process.

    `most` is how many objects are kept; where there are more, nothing is. `refused`: seconds until what was refused (a
    right that is missing) is tried again.
    """

    def __init__(self, kube: Kube, path: str, *, most: int | None = None, refused: float = PAUSES[-1]) -> None:
        self._kube = kube
        self._path = path
        self._most = most
        self._refused = refused
        self._documents: dict[Key, Document] = {}
        self._changes: dict[str, int] = {}
        self._lock = threading.Lock()
        self._since = ""
        self._asked = self._heard = self._good_until = float("-inf")
        self._trouble = "nothing was heard yet"
        self._synced = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def view(self) -> View:
        """What is known now; the first time it is waited for. Raises Unavailable where nothing was heard for long."""
        self._start()
        self._synced.wait(FIRST_SECONDS)
        with self._lock:
            if time.monotonic() - self._heard > STALE:
                raise Unavailable(f"the watch of {self._path} does not get through: {self._trouble}")
            return View(dict(self._documents), dict(self._changes))

    def current(self) -> Mapping[Key, Document] | None:
        """The documents where they are known to be those of now; else None at once."""
        self._start()
        with self._lock:
            return dict(self._documents) if time.monotonic() <= self._good_until else None

    @property
    def is_running(self) -> bool:
        """Whether it is kept up to date: not before the first question, nor when nobody has asked for long."""
        return self._thread is not None and self._thread.is_alive()

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
            self._asked = time.monotonic()
            if (self._thread is None or not self._thread.is_alive()) and not self._ended.is_set():
                self._thread = threading.Thread(target=self._run, name=f"watch of {self._path}", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        failures = 0
        while self._is_wanted():
            try:
                if self._since:
                    failures = self._followed(failures)
                else:
                    self._list()
            except PortError as error:
                self._lose(error)
                pause = self._refused if isinstance(error, Refused) else PAUSES[min(failures, len(PAUSES) - 1)]
                failures += 1
                if not isinstance(error, Conflict) or failures > 1:
                    self._ended.wait(pause)
        with self._lock:
            self._synced.clear()
            self._documents.clear()
            self._since = ""
            self._heard = self._good_until = float("-inf")

    def _is_wanted(self) -> bool:
        return not self._ended.is_set() and time.monotonic() - self._asked < IDLE

    def _list(self) -> None:
        listed = self._kube.get(self._path, **({"limit": str(self._most)} if self._most else {}))
        if listed["metadata"].get("continue"):
            raise Refused(f"there are more than {self._most} objects at {self._path}: too many to keep")
        found = {_key(each): each for each in listed["items"]}
        with self._lock:
            for key in self._documents.keys() - found.keys():
                self._drop(key)
            for key, document in found.items():
                if _version(self._documents.get(key)) < _version(document):
                    self._put(document)
            self._since = str(listed["metadata"]["resourceVersion"])
            self._good(BETWEEN)
        self._synced.set()

    def _followed(self, failures: int) -> int:
        """One watch; how many came to nothing in a row: what ends as soon as it begins is not begun all the time."""
        begun, heard = time.monotonic(), self._since
        self._follow()
        if self._since != heard or time.monotonic() - begun >= SHORT:
            return 0
        self._ended.wait(PAUSES[min(failures, len(PAUSES) - 1)])
        return failures + 1

    def _follow(self) -> None:
        with self._kube.watch(self._path, self._since, WATCH_SECONDS, QUIET, allowWatchBookmarks="true") as events:
            with self._lock:
                self._good(STALE)
            for event in events:
                self._hear(event["type"], event["object"])
                if not self._is_wanted():
                    break
        with self._lock:
            self._good(BETWEEN)

    def _good(self, seconds: float) -> None:
        """What is known is as the server had it at this moment."""
        self._heard = time.monotonic()
        self._good_until = self._heard + seconds

    def _lose(self, error: PortError) -> None:
        with self._lock:
            self._trouble = str(error)
            self._good_until = float("-inf")
            if isinstance(error, Conflict):  # what was missed is unknown
                self._since = ""

    def _hear(self, kind: str, document: Document) -> None:
        with self._lock:
            self._good(STALE)
            self._since = str(document["metadata"]["resourceVersion"])
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
