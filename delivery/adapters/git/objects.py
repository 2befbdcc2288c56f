"""Kubernetes objects in the YAML files of a folder of a repository. What is read is cached for a moment: a write that
expects what is no more fails all the same."""

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from delivery.adapters.git.repository import Read, Repository
from delivery.adapters.git.yaml_parts import documents
from delivery.ports.errors import Conflict, Refused

Document = dict[str, Any]
FRESH = 1.0  # seconds
ATTEMPTS = 4  # of a push that only met changes of other files


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object stands. `version` changes with every change of its file."""

    path: str
    number: int
    version: str


@dataclass(frozen=True, slots=True)
class File:
    """What is in a file. No documents: it is a template, or somebody's mistake, and no object of ours."""

    text: str
    documents: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The YAML files of a folder at one commit. `versions` are the hashes of what is in them."""

    read: Read
    files: Mapping[str, File]
    versions: Mapping[str, str]

    def objects(self, kind: str, namespace: str) -> Iterator[tuple[Place, Document]]:
        """Those of a kind and a namespace; one that names no namespace is in every one."""
        for path, file in self.files.items():
            for number, found in enumerate(file.documents):
                if not isinstance(found, dict) or found.get("kind") != kind:
                    continue
                metadata = {"namespace": namespace, **_mapping(found.get("metadata"))}
                if metadata["namespace"] == namespace and isinstance(metadata.get("name"), str):
                    whole = {**found, "metadata": metadata, "spec": _mapping(found.get("spec"))}
                    yield Place(path, number, self.versions[path]), copy.deepcopy(whole)


class Objects:
    """`folder` is a path in the repository; the empty one is all of it."""

    def __init__(self, repository: Repository, folder: str) -> None:
        self.repository = repository
        self.folder = folder.strip("/")
        self._cached: tuple[float, Snapshot] | None = None

    def look(self, *, fresh: bool = False) -> Snapshot:
        """What is there now, or was a second ago."""
        if self._cached is not None and not fresh and time.monotonic() - self._cached[0] < FRESH:
            return self._cached[1]
        return self._keep(self.repository.look())

    def write(self, edited: Mapping[str, tuple[str | None, str | None]], message: str) -> Snapshot:
        """Files by path: the version that was read (None: there was none) and the new text (None: it goes).

        Raises Conflict where one of them is no longer what was read; what others push to other files is no matter.
        """
        for _ in range(ATTEMPTS):
            now = self.look(fresh=True)
            for path, (expected, _) in edited.items():
                if now.versions.get(path) != expected:
                    raise Conflict(f"{path} of {self.repository} was changed by somebody else")
            files = {path: None if text is None else text.encode() for path, (_, text) in edited.items()}
            try:
                return self._keep(self.repository.write(now.read, files, message))
            except Conflict:
                continue
        raise Conflict(f"others push to {self.repository} faster than we can")

    def path_of(self, kind: str, namespace: str, name: str) -> str:
        """The file of an object that is ours alone."""
        return "/".join(part for part in (self.folder, f"delivery-{kind.lower()}-{namespace}-{name}.yaml") if part)

    def _keep(self, read: Read) -> Snapshot:
        before = self._cached[1] if self._cached is not None else None
        if before is not None and before.read.head == read.head:
            snapshot = Snapshot(read, before.files, before.versions)
        else:
            versions = self.repository.files(read.head, self.folder)
            wanted = {path: one for path, one in versions.items() if path.endswith((".yaml", ".yml"))}
            snapshot = Snapshot(read, self._files(wanted, before), wanted)
        self._cached = (time.monotonic(), snapshot)
        return snapshot

    def _files(self, wanted: Mapping[str, str], before: Snapshot | None) -> Mapping[str, File]:
        """Read and parsed are those alone that are new: a folder of hundreds takes seconds."""
        known = {before.versions[path]: file for path, file in before.files.items()} if before is not None else {}
        new = sorted({*wanted.values()} - known.keys())
        known |= {blob: _file(content) for blob, content in self.repository.contents(new).items()}
        return {path: known[blob] for path, blob in wanted.items()}


def _file(content: bytes) -> File:
    try:
        text = content.decode()
        return File(text, documents(text))
    except (Refused, UnicodeDecodeError):
        return File("", ())


def _mapping(found: Any) -> Document:
    return found if isinstance(found, dict) else {}


def as_text(found: Mapping[str, Any]) -> str:
    """An object of ours, as a file."""
    return str(yaml.safe_dump(dict(found), sort_keys=False))
