"""Port Deployer over a git repository: the image is committed where the server's configuration says, and whoever
follows the repository brings it into the cluster. Whether that has happened is looked at in the cluster alone.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from delivery.adapters.git import yaml_text
from delivery.adapters.git.repository import Read, Repository
from delivery.adapters.kube import images
from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.kubernetes import promotion
from delivery.adapters.workloads.kubernetes.cloned import ClonedWorkload
from delivery.adapters.workloads.kubernetes.place import place_of
from delivery.adapters.workloads.kubernetes.reader import Reader
from delivery.adapters.workloads.told import demand_way_back, may_run, note_in, told
from delivery.model.ids import TargetId
from delivery.model.place import Place, Told
from delivery.model.service import Workload
from delivery.model.standing import Standing
from delivery.model.version import VersionRef
from delivery.ports.deployer import Found
from delivery.ports.errors import Conflict, Refused
from delivery.ports.workloads import Running

TRIES = 3  # of one value: who sets it back wins after that


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a service's image stands: a file, a key in it, and what of the image stands there."""

    path: str
    key: tuple[yaml_text.Key, ...]
    value: Told = Told.TAG

    def __str__(self) -> str:
        return f"{yaml_text.told(self.key)} of {self.path}"


class GitDeployer:
    """`entries` by service. `kube` is the cluster of the target, `namespaces` those of it that opted in."""

    def __init__(
        self, kube: Kube, namespaces: Collection[str], repository: Repository, entries: Mapping[str, Entry]
    ) -> None:
        self._kube = kube
        self._namespaces = frozenset(namespaces)
        self._repository = repository
        self._entries = entries

    def find(self, target: TargetId, workload: Workload, hint: Mapping[str, str]) -> Found:
        raise Refused("a git repository tells nothing of what is in the cluster")

    def stands(self, application: str) -> Standing:
        raise Refused("a git repository is in no state of its own")

    def bring(
        self, target: TargetId, workload: Workload, version: VersionRef, still: Callable[[], bool], token: str
    ) -> Running:
        try:
            return self._bring(target, place_of(workload, self._namespaces), version, still, token)
        except Refused as error:
            return Running(False, failing=str(error), looked_for=str(error))

    def _bring(
        self, target: TargetId, place: Place, version: VersionRef, still: Callable[[], bool], token: str
    ) -> Running:
        service, _, cluster = target.rpartition("@")
        name = f"{cluster}/{service}"
        entry = self._entry(service)
        read = self._repository.look()
        text = self._text(read, entry)
        stands, wanted = yaml_text.value(text, entry.key), told(version, entry.value, str(entry))
        noted = note_in(read.claim(name))
        if stands == wanted and noted.get("token") == token:
            return Running(True)
        reason = self._in_the_way(target, place, version, (entry, stands, wanted, noted))
        if reason:
            return Running(False, failing=reason, looked_for=reason)
        if not still():
            raise Conflict(f"somebody else has {target} by now")
        files = {} if stands == wanted else {entry.path: yaml_text.replaced(text, entry.key, wanted).encode()}
        tries = noted.get("tries", 0) if noted.get("value") == wanted else 0
        claim = json.dumps({"token": token, "value": wanted, "tries": tries + bool(files)}, sort_keys=True)
        written = self._repository.write(read, files, _message(service, version, wanted, token), (name, claim))
        return Running(False, looked_for=f"{self._repository} says {wanted} since {written.head[:12]}")

    def _text(self, read: Read, entry: Entry) -> str:
        try:
            return self._repository.read(read.head, entry.path).decode()
        except UnicodeDecodeError as error:
            raise Refused(f"{entry.path} of {self._repository} is no UTF-8: {error.reason}") from error

    def _entry(self, service: str) -> Entry:
        """A service file names neither repository nor file: whoever writes it does not choose where we commit."""
        if service not in self._entries:
            known = ", ".join(sorted(self._entries)) or "none"
            raise Refused(f"the server's configuration says for no file where {service} stands in git; it has: {known}")
        return self._entries[service]

    def _in_the_way(
        self,
        target: TargetId,
        place: Place,
        version: VersionRef,
        said: tuple[Entry, str, str, Mapping[str, Any]],
    ) -> str:
        """Why nothing may be committed; nothing where it may. Raises Refused where there would be no way back."""
        entry, stands, wanted, noted = said
        if stands != wanted and noted.get("value") == wanted and noted.get("tries", 0) >= TRIES:
            return f"{entry} was set to {wanted} {TRIES} times and set back to {stands}: somebody keeps it there"
        container = self._container(place, version)
        if not noted:
            demand_way_back(str(container["image"]), entry.value, str(entry))
        if may_run(str(container["image"]), version):
            return ""
        twin = ClonedWorkload(self._kube, target, place, version).find()
        deployment = Reader(self._kube, place.namespace).owners(place)
        return promotion.in_the_way(deployment, version, container["name"], twin)

    def _container(self, place: Place, version: VersionRef) -> Document:
        deployment = Reader(self._kube, place.namespace).owners(place)
        names = (place.deployment, place.service)
        return dict(images.container(deployment["spec"]["template"], names, version.image))


def _message(service: str, version: VersionRef, value: str, token: str) -> str:
    said = f"Set to {value} by a release, which has proven it beside the version before."
    return f"{service}: {version.version}\n\n{said}\n\nDelivery-Decision: {token}\n"
