"""A version in a Deployment of its own, which CI or Argo CD made: found, checked, marked as used, given a Service."""

import copy
import re
from collections.abc import Callable

from delivery.adapters.kube import images, marks
from delivery.adapters.kube.api import Api
from delivery.adapters.kube.objects import Document, path_of
from delivery.adapters.workloads.kubernetes import clone, condition, state
from delivery.adapters.workloads.kubernetes.clone import Copy
from delivery.adapters.workloads.kubernetes.edit import create, delete, edit, free_capacity, keep_capacity, pinned
from delivery.adapters.workloads.kubernetes.reader import Reader
from delivery.model.ids import TargetId
from delivery.model.place import Isolation, Place, named, object_name
from delivery.model.version import Backend, VersionRef
from delivery.ports.errors import Conflict, Refused
from delivery.ports.workloads import Running

IN_USE = f"{marks.PREFIX}in-use"
"""Annotation of a version's Deployment: the target that may send requests there. It changes the resourceVersion, so a
scale-down that was decided before fails."""


class VersionedWorkload:
    """One version of one target. The Deployment stays its owners': nothing here starts, scales or deletes it."""

    def __init__(self, kube: Api, target: TargetId, place: Place, version: VersionRef) -> None:
        self._kube = kube
        self._target = target
        self._place = place
        self._version = version
        self._reader = Reader(kube, place.namespace)
        self.name = object_name(Backend(target.rpartition("@")[0], version))

    def ensure(self, by: str = "") -> Running:
        """Marks it as used, by a release, and makes its Service, once it is there and runs what the event said."""
        deployment = self._find()
        wrong = self._wrong(deployment)
        if deployment is None or wrong:
            return Running(False, failing=wrong, looked_for=self._looked_for())
        if _used_by(deployment) != self._target or by not in ("", _note(deployment, marks.USED_BY)):
            deployment = edit(self._kube, path_of(deployment), lambda found: self._marked(found, by)) or deployment
        if self._own_service:
            service = self._reader.service(self.name)
            pinned(self._kube, self._make_service(deployment) if service is None else service, by)
        if self._place.keep_capacity:
            keep_capacity(
                self._kube, self._target, deployment, self._reader.autoscalers(deployment["metadata"]["name"]), by
            )
        return self._state(deployment)

    def demand(self) -> Document:
        """Its Deployment. Raises Refused where there is none, or where it runs something else."""
        deployment = self._find()
        wrong = self._wrong(deployment)
        if deployment is None or wrong:
            raise Refused(wrong or f"there is no {self._looked_for()}")
        return deployment

    def look(self) -> Running:
        deployment = self._find()
        wrong = self._wrong(deployment)
        if deployment is None or wrong:
            return Running(False, failing=wrong, looked_for=self._looked_for())
        return self._state(deployment)

    def retire(self, still: Callable[[], bool]) -> None:
        """Takes back the mark and the Service: whoever deployed the version may take it away now."""
        deployment = self._find()
        if deployment is not None:
            edit(self._kube, path_of(deployment), lambda found: self._unmarked(found, still))
            free_capacity(self._kube, self._target, self._reader.autoscalers(deployment["metadata"]["name"]))
        service = self._reader.service(self.name)
        if service is not None and marks.is_ours(service, self._target):
            delete(self._kube, service, still, lambda one: one["metadata"]["uid"])

    def _find(self) -> Document | None:
        for name in names(self._place, self._version.version):
            found = self._reader.deployment(name)
            if found is not None:
                return found
        return None

    def _wrong(self, deployment: Document | None) -> str | None:
        """Why it is not the version that the event told of."""
        if deployment is None or self._version.image is None:
            return None
        container = images.container(deployment["spec"]["template"], self._container_names(), self._version.image)
        if images.runs(container["image"], self._version.image):
            return None
        pods = self._reader.newest_pods(deployment) if not images.digest(container["image"]) else ()
        digest = images.running_digest(pods, container["name"])
        if digest and digest == images.digest(self._version.image):
            return None
        known = f" (by its pods {digest})" if digest else ""
        return (
            f"Deployment {_where(deployment)} runs {container['image']}{known}, and the event said "
            f"{self._version.image}: deploy that under this name, or send the event of what is deployed"
        )

    def _marked(self, deployment: Document, by: str) -> Document | None:
        user = _used_by(deployment)
        if user and user != self._target:
            raise Refused(f"Deployment {_where(deployment)} is used by {user} already: one Deployment has one target")
        changed = copy.deepcopy(deployment)
        changed["metadata"].setdefault("annotations", {})[IN_USE] = self._target
        if by:
            changed["metadata"]["annotations"][marks.USED_BY] = by
        return changed

    def _unmarked(self, deployment: Document, still: Callable[[], bool]) -> Document | None:
        if not still():
            raise Conflict(f"somebody else has {self._target} by now")
        if _used_by(deployment) != self._target:
            return None
        changed = copy.deepcopy(deployment)
        for key in (IN_USE, marks.USED_BY):
            changed["metadata"]["annotations"].pop(key, None)
        return changed

    def _make_service(self, deployment: Document) -> Document:
        selector = deployment["spec"]["selector"]
        if selector.get("matchExpressions") or not selector.get("matchLabels"):
            raise Refused(
                f"Deployment {_where(deployment)} selects its pods by matchExpressions, which no Service can: give it "
                f"matchLabels with the version"
            )
        wanted = Copy(self._target, self.name, self._version, self._place.isolation, "")
        made = clone.its_service(self._reader.users(self._place), wanted)
        made["spec"]["selector"] = dict(selector["matchLabels"])
        return create(self._kube, made, self._target)

    def _state(self, deployment: Document) -> Running:
        service = self._reader.service(self.name) if self._own_service else self._reader.users(self._place)
        if service is None:
            return Running(False, looked_for=f"Service {self._place.namespace}/{self.name}")
        address = state.endpoint(self._place, self.name if self._own_service else self._place.service, service)
        wanted = deployment["spec"].get("replicas", 1)
        if wanted == 0:
            return Running(False, looked_for=f"{self._looked_for()}; it is scaled to 0")
        missing = condition.unfinished(deployment) or condition.unavailable(deployment, wanted)
        return state.running(self._reader, deployment, address, self._looked_for(), missing)

    @property
    def _own_service(self) -> bool:
        return self._place.isolation is Isolation.SERVICE

    def _container_names(self) -> tuple[str, ...]:
        return (self._place.deployment, self._place.service)

    def _looked_for(self) -> str:
        known = names(self._place, self._version.version)
        where = " or ".join(f"{self._place.namespace}/{name}" for name in known)
        image = f" with {self._version.image}" if self._version.image else ""
        return f"Deployment {where}{image}, which CI or Argo CD deploys"


def pattern(place: Place) -> str:
    """What the Deployments of versions are called."""
    return place.candidate or f"{place.deployment}-{{version}}"


def names(place: Place, version: str) -> list[str]:
    """What a version's Deployment may be called: with the version as it is, and as a name without dots."""
    found = named(pattern(place), version)
    return [name for name in found if re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", name)]


def _used_by(deployment: Document) -> str:
    return _note(deployment, IN_USE)


def _note(document: Document, key: str) -> str:
    return str((document["metadata"].get("annotations") or {}).get(key, ""))


def _where(deployment: Document) -> str:
    return f"{deployment['metadata']['namespace']}/{deployment['metadata']['name']}"
