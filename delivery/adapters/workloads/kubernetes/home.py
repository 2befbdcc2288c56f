"""The owners' own Deployment: looked at, kept from shrinking, and patched where a candidate has been proven."""

from collections.abc import Callable

from delivery.adapters.kube import images
from delivery.adapters.kube.api import Api
from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.kubernetes import condition, identity, promotion, state
from delivery.adapters.workloads.kubernetes.edit import drop_copy, free_capacity, keep_capacity
from delivery.adapters.workloads.kubernetes.reader import AUTOSCALING, Reader
from delivery.model.ids import TargetId
from delivery.model.place import Place
from delivery.model.version import VersionRef
from delivery.ports.errors import Conflict, Refused
from delivery.ports.workloads import Running, always

TRIES = 3  # of a write that only met a new status


class OwnersWorkload:
    """Of one target."""

    def __init__(self, kube: Api, target: TargetId, place: Place) -> None:
        self._kube = kube
        self._target = target
        self._place = place
        self._reader = Reader(kube, place.namespace)

    def current(self) -> VersionRef:
        """Raises Refused where there is none, or where it is not clear what it runs."""
        return self._version(self._reader.owners(self._place))

    def look(self, version: VersionRef, keep: str | None = None) -> Running:
        """Ready where all of its pods run this very version, and enough of them are available: they may be restarted.

        `keep`: its autoscaler may not take away what runs now, for this release.
        """
        deployment = self._reader.owners(self._place)
        if keep is not None and self._place.keep_capacity:
            keep_capacity(self._kube, self._target, deployment, self._reader.autoscalers(self._place.deployment), keep)
        missing = condition.unavailable(deployment, deployment["spec"].get("replicas", 1))
        return self._state(deployment, version, missing or self._mixed(deployment))

    def wait(self, version: VersionRef) -> Running:
        """Ready once all of it runs the version: somebody else sees to that."""
        deployment = self._reader.owners(self._place)
        return self._state(deployment, version, condition.missing(deployment))

    def demand(self, version: VersionRef) -> Document:
        """Its Deployment. Raises Refused where that runs another version."""
        deployment = self._reader.owners(self._place)
        found = self._version(deployment)
        if not identity.is_version(found, version):
            raise Refused(f"Deployment {self._where()} runs {_told(found)}, and not {_told(version)} any more")
        return deployment

    def free(self) -> None:
        """Gives every autoscaler that was kept from shrinking back to its owners, and deletes copies of configuration
        that were kept for a way back."""
        free_capacity(self._kube, self._target, self._reader.all(AUTOSCALING, "HorizontalPodAutoscaler"))
        deployment = self._reader.deployment(self._place.deployment) if self._place.track else None
        for reference in sorted(promotion.spare_configuration(deployment)) if deployment is not None else ():
            drop_copy(self._kube, self._target, self._reader, reference, always)

    def promote(self, version: VersionRef, twin: Document | None, still: Callable[[], bool], token: str) -> Running:
        """Patches its image to the version's, if it is still what it was when the release began. `twin`: the copy."""
        for _ in range(TRIES):
            deployment = self._reader.owners(self._place)
            container = images.container(deployment["spec"]["template"], self._names(), version.image)["name"]
            names, config = promotion.configuration_for(deployment, version, twin)
            config = config or identity.fingerprint(self._reader.tracked(self._place))
            settled = promotion.is_promoted(deployment, version, container, config, names)
            if settled and promotion.is_claimed(deployment, token):
                return self._state(deployment, version, condition.missing(deployment))
            reason = "" if settled else promotion.in_the_way(deployment, version, container, twin)
            if reason:
                return Running(False, failing=reason, looked_for=reason)
            if not still():
                raise Conflict(f"somebody else has {self._target} by now")
            wanted = deployment if settled else promotion.promoted(deployment, version, container, config, twin, names)
            written = self._write(promotion.claimed(wanted, token), deployment)
            if written is not None:
                return self._state(written, version, condition.missing(written))
        raise Conflict(f"Deployment {self._where()} changes faster than it can be patched")

    def _write(self, wanted: Document, read: Document) -> Document | None:
        """None where only its status was new: then it is worth another try. Raises Conflict for any other change."""
        try:
            return self._kube.replace(wanted)
        except Conflict:
            if self._reader.owners(self._place)["metadata"]["generation"] != read["metadata"]["generation"]:
                raise
            return None

    def _mixed(self, deployment: Document) -> str:
        """What is missing until no pod runs another image than the Deployment says."""
        unfinished = condition.unfinished(deployment)
        if not unfinished:
            return ""
        wanted = images.container(deployment["spec"]["template"], self._names())
        pods = self._reader.pods(deployment["spec"]["selector"])
        return "" if all(images.has(pod, wanted["name"], wanted["image"]) for pod in pods) else unfinished

    def _state(self, deployment: Document, version: VersionRef, missing: str) -> Running:
        found = self._version(deployment)
        looked_for = (
            f"Deployment {self._where()} to run {_told(version)}, it runs {_told(found)}{self._by(deployment, version)}"
        )
        if not identity.is_version(found, version):
            return Running(False, looked_for=looked_for)
        address = state.endpoint(self._place, self._place.service, self._reader.users(self._place))
        return state.running(self._reader, deployment, address, looked_for, missing)

    def _version(self, deployment: Document) -> VersionRef:
        container = images.container(deployment["spec"]["template"], self._names())
        known = images.digest(container["image"]) or identity.note(deployment).get("image") == container["image"]
        pods = () if known else self._reader.newest_pods(deployment)
        return identity.running(deployment, pods, self._names(), lambda: self._reader.tracked(self._place))

    def _by(self, deployment: Document, version: VersionRef) -> str:
        container = images.container(deployment["spec"]["template"], self._names())
        changed = version.image is not None and not images.runs(container["image"], version.image)
        manager = promotion.manager(deployment, container["name"]) if changed else ""
        return f", set by {manager}" if manager else ""

    def _names(self) -> tuple[str, ...]:
        return (self._place.deployment, self._place.service)

    def _where(self) -> str:
        return f"{self._place.namespace}/{self._place.deployment}"


def _told(version: VersionRef) -> str:
    return version.version if version.image is None else f"{version.version} ({version.image})"
