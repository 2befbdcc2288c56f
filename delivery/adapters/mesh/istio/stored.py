"""Where a target's VirtualServices are stored: in the cluster, or in a git repository that somebody else applies."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from delivery.adapters.git import yaml_parts
from delivery.adapters.git.objects import Objects, Snapshot
from delivery.adapters.git.objects import Place as Where
from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import ISTIO, Document, path
from delivery.adapters.kube.watch import Watch
from delivery.adapters.mesh.istio import stamps, targets, writing
from delivery.model.place import Place
from delivery.ports.errors import Refused

KIND = targets.KIND


class Stored(Protocol):
    """Documents have a `resourceVersion` that changes with every change of them."""

    @property
    def where(self) -> str:
        """Where they are to be looked for, as a part of a sentence; nothing where that is the cluster."""

    def fetch(self, place: Place, service: str, *, fresh: bool = False) -> list[Document]:
        """As they are stored now, by name; of those that the service file names, the ones that are there.

        Where it takes a while to ask, as they were a moment ago, unless it is to be `fresh`: a write that rests on less
        fails, a proof would not.
        """

    def listed(self, place: Place) -> list[Document]:
        """Every VirtualService of the namespace that is stored, or that proxies may still have."""

    def store(
        self, service: str, found: Sequence[Document], changed: Sequence[Document], lowers: bool
    ) -> list[Document]:
        """Replaces those that were found, if they are still that. Where it `lowers`, one that cannot be written keeps
        no other from being. Raises Conflict, Refused and Unavailable.
        """

    def applied(self, documents: Sequence[Document], service: str) -> list[Document]:
        """The same as the cluster has them, for proxies to take; those that it does not have yet are missing."""


class InCluster:
    """Our writes are the cluster's."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    @property
    def where(self) -> str:
        return ""

    def fetch(self, place: Place, service: str, *, fresh: bool = False) -> list[Document]:
        return targets.select(targets.fetch(self._kube, place), place, service)

    def listed(self, place: Place) -> list[Document]:
        return list(self._kube.get(path(ISTIO, KIND, place.namespace))["items"])

    def store(
        self, service: str, found: Sequence[Document], changed: Sequence[Document], lowers: bool
    ) -> list[Document]:
        return writing.lower(self._kube, changed) if lowers else writing.raise_all(self._kube, changed, found)

    def applied(self, documents: Sequence[Document], service: str) -> list[Document]:
        return list(documents)


class InGit:
    """Our writes are commits. All files of a target change in one of them, so that all are raised or none."""

    def __init__(self, kube: Kube, objects: Objects, watch: Watch) -> None:
        self._kube = kube
        self._objects = objects
        self._watch = watch

    @property
    def where(self) -> str:
        return f" in {self._objects.folder or 'any folder'} of {self._objects.repository}"

    def fetch(self, place: Place, service: str, *, fresh: bool = False) -> list[Document]:
        return targets.select(self._all(self._objects.look(fresh=fresh), place.namespace), place, service)

    def listed(self, place: Place) -> list[Document]:
        """What left git may still be in the cluster."""
        there = list(self._kube.get(path(ISTIO, KIND, place.namespace))["items"])
        return [*self._all(self._objects.look(fresh=True), place.namespace), *there]

    def store(
        self, service: str, found: Sequence[Document], changed: Sequence[Document], lowers: bool
    ) -> list[Document]:
        namespace = str(changed[0]["metadata"]["namespace"])
        snapshot = self._objects.look()
        places = {one["metadata"]["name"]: where for where, one in snapshot.objects(KIND, namespace)}
        texts = {file: one.text for file, one in snapshot.files.items()}
        versions: dict[str, str | None] = {}
        refused: Refused | None = None
        for one in changed:
            try:
                where, text = self._written(one, places, texts, service)
            except Refused as error:
                if not lowers:
                    raise
                refused = refused or error
                continue
            versions.setdefault(where.path, str(one["metadata"]["resourceVersion"]))
            texts[where.path] = text
        files = {file: (expected, texts[file]) for file, expected in versions.items()}
        after = self._objects.write(files, _message(changed[0], service)) if files else snapshot
        if refused is not None:
            raise refused
        names = [one["metadata"]["name"] for one in changed]
        return [one for one in self._all(after, namespace) if one["metadata"]["name"] in names]

    def _written(
        self, wanted: Document, places: Mapping[str, Where], texts: Mapping[str, str], service: str
    ) -> tuple[Where, str]:
        """The file in which an object is, and its new text."""
        where = places.get(wanted["metadata"]["name"])
        if where is None:
            raise Refused(f"{_name(wanted)} is no longer in {self._objects.repository}")
        return where, _edited(texts[where.path], where.number, wanted, service)

    def applied(self, documents: Sequence[Document], service: str) -> list[Document]:
        there = self._watch.view().documents
        keys = [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in documents]
        return [there[key] for key in keys if key in there]

    @staticmethod
    def _all(snapshot: Snapshot, namespace: str) -> list[Document]:
        found = []
        for where, one in snapshot.objects(KIND, namespace):
            metadata = {**one["metadata"], "resourceVersion": where.version}
            found.append({**one, "metadata": metadata})
        return sorted(found, key=lambda one: str(one["metadata"]["name"]))


def _edited(text: str, number: int, wanted: Document, service: str) -> str:
    """The file with this object in it: its routes and our mark. Raises Refused where it would say anything else."""
    key = stamps.key(service)
    changed = yaml_parts.with_list(text, number, ("spec", "http"), wanted["spec"]["http"])
    changed = yaml_parts.with_annotation(changed, number, key, stamps.annotations(wanted)[key])
    before, after = yaml_parts.documents(text), yaml_parts.documents(changed)
    same = [one for index, one in enumerate(before) if index != number] == [
        one for index, one in enumerate(after) if index != number
    ]
    if not same or after[number]["spec"] != wanted["spec"]:
        raise Refused(f"{_name(wanted)} cannot be edited in its file without changing something else")
    return changed


def _message(document: Document, service: str) -> str:
    written = stamps.read(document, service)
    stamp = written.stamp if written else None
    told = f"{stamp.release}/{stamp.dseq}" if stamp else "unknown"
    return f"{service}: routes of a release\n\nDelivery-Route: {told}\n"


def _name(found: Document) -> str:
    return f"VirtualService {found['metadata'].get('namespace')}/{found['metadata']['name']}"
