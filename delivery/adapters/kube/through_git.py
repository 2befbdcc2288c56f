"""The Kubernetes API where only somebody else may write to the cluster: it is looked at as always, and what is ours to
write is committed as a file, for whoever follows the repository.

Only objects of our own are written, and only those that routes need. Owners' objects are left as they are: no mark, no
pinned autoscaler.
"""

import copy
from collections.abc import Mapping
from typing import Any

from delivery.adapters.git.objects import Objects, as_text
from delivery.adapters.git.yaml_parts import without_server_fields
from delivery.adapters.kube import marks
from delivery.adapters.kube.client import MERGE_PATCH, Absent, Kube
from delivery.adapters.kube.objects import Document, path_of
from delivery.ports.errors import Refused

KINDS = ("Service", "DestinationRule", "EnvoyFilter", "RequestAuthentication", "AuthorizationPolicy", "Telemetry")


class GitKube(Kube):
    """Reads by the kubeconfig, writes into the files of `objects`. What is written is not there yet: it is looked for
    until it is."""

    def __init__(self, objects: Objects, kubeconfig: str | None = None, context: str | None = None) -> None:
        super().__init__(kubeconfig, context)
        self._objects = objects

    def create(self, body: Mapping[str, Any], *, dry_run: bool = False) -> Document:
        if not dry_run:
            self._put(body)
        return dict(body)

    def replace(self, body: Mapping[str, Any], *, dry_run: bool = False) -> Document:
        if not dry_run and _is_ours(body):
            self._put(body)
        return dict(body)

    def patch(self, path: str, body: Any, kind: str = MERGE_PATCH, *, dry_run: bool = False) -> Document:
        """Of what the file says; where there is none, of what is in the cluster."""
        if kind != MERGE_PATCH:
            raise Refused(f"{path} is not changed by {kind} where only git is written")
        merged: Document = _merged(self._known(path), body)
        return self.replace(merged, dry_run=dry_run)

    def delete(self, path: str, *, uid: str | None = None, revision: str | None = None) -> None:
        try:
            found = self._known(path)
        except Absent:
            return
        file, snapshot = self._file(found), self._objects.look()
        if file in snapshot.files:
            self._objects.write({file: (snapshot.versions[file], None)}, f"{_name(found)} is needed no more")

    def _put(self, body: Mapping[str, Any]) -> None:
        if body["kind"] not in KINDS:
            raise Refused(
                f"{_name(body)} would have to be made, and only git is written here: use mode: versioned or observe, "
                "and no baseline: fresh"
            )
        file, text, snapshot = self._file(body), as_text(without_server_fields(body)), self._objects.look()
        there = snapshot.files.get(file)
        if there is None or there.text != text:
            self._objects.write({file: (snapshot.versions.get(file), text)}, f"{_name(body)} for a release")

    def _known(self, path: str) -> Document:
        """Raises Absent where it is in neither."""
        for file in self._objects.look().files.values():
            for found in file.documents:
                if isinstance(found, dict) and _is_ours(found) and path_of(found) == path:
                    return copy.deepcopy(found)
        return self.get(path)

    def _file(self, body: Mapping[str, Any]) -> str:
        metadata = body["metadata"]
        return self._objects.path_of(str(body["kind"]), str(metadata["namespace"]), str(metadata["name"]))


def _is_ours(body: Mapping[str, Any]) -> bool:
    metadata = body.get("metadata") or {}
    return bool((metadata.get("labels") or {}).get(marks.MANAGED_BY) == marks.US)


def _merged(found: Any, change: Any) -> Any:
    """A merge patch (RFC 7386), without its condition."""
    if not isinstance(found, Mapping) or not isinstance(change, Mapping):
        return change
    kept = {key: value for key, value in found.items() if key not in change or change[key] is not None}
    changes = {key: value for key, value in change.items() if value is not None and key != "resourceVersion"}
    return {**kept, **{key: _merged(found.get(key), value) for key, value in changes.items()}}


def _name(body: Mapping[str, Any]) -> str:
    return f"{body['kind']} {body['metadata'].get('namespace')}/{body['metadata']['name']}"
