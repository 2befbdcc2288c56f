"""Port Workloads over Deployments of a Kubernetes cluster, in the mode that the service file names.

Nothing that is not ours is written, but for the owners' Deployment when it is promoted, the `minReplicas` of its
autoscaler while a release may go back to it, and a mark on a version's Deployment while it is used.
"""

from collections.abc import Callable, Collection

from delivery.adapters.kube.client import Absent, Kube
from delivery.adapters.workloads.kubernetes.cloned import ClonedWorkload
from delivery.adapters.workloads.kubernetes.home import OwnersWorkload
from delivery.adapters.workloads.kubernetes.place import place_of
from delivery.adapters.workloads.kubernetes.serving import serving
from delivery.adapters.workloads.kubernetes.versioned import VersionedWorkload
from delivery.model.ids import TargetId
from delivery.model.place import Mode, Place, Promotion
from delivery.model.service import Workload
from delivery.model.version import VersionRef
from delivery.ports.errors import Refused
from delivery.ports.workloads import EVERYTHING, Need, Running, always

Claim = tuple[Callable[[], bool], str]
"""Whether the target is still ours, and the token of what was decided."""


class KubernetesWorkloads:
    """`namespaces` are those that opted in: whoever may write a service file does not choose where we write."""

    def __init__(self, kube: Kube, namespaces: Collection[str]) -> None:
        self._kube = kube
        self._namespaces = frozenset(namespaces)

    def ensure(self, target: TargetId, workload: Workload, version: VersionRef, need: Need = EVERYTHING) -> Running:
        return _told(lambda: self._ensure(target, self._place(workload), version, need))

    def look(self, target: TargetId, workload: Workload, version: VersionRef, *, home: bool = False) -> Running:
        return _told(lambda: self._look(target, self._place(workload), version, home))

    def retire(self, target: TargetId, workload: Workload, version: VersionRef) -> None:
        place = self._place(workload)
        if place.mode is Mode.CLONE:
            ClonedWorkload(self._kube, target, place, version).retire()
        elif place.mode is Mode.VERSIONED:
            VersionedWorkload(self._kube, target, place, version).retire()

    def current(self, target: TargetId, workload: Workload, candidate: VersionRef | None = None) -> VersionRef | None:
        place = self._place(workload)
        if place.mode is Mode.VERSIONED:
            return serving(self._kube, place, candidate)
        return OwnersWorkload(self._kube, target, place).current()

    def promote(
        self,
        target: TargetId,
        workload: Workload,
        version: VersionRef,
        still: Callable[[], bool] = always,
        token: str = "",
    ) -> Running:
        return _told(lambda: self._promote(target, self._place(workload), version, (still, token)))

    def rest(self, target: TargetId, workload: Workload) -> None:
        OwnersWorkload(self._kube, target, self._place(workload)).free()

    def _ensure(self, target: TargetId, place: Place, version: VersionRef, need: Need) -> Running:
        if place.mode is Mode.OBSERVE:
            return OwnersWorkload(self._kube, target, place).wait(version)
        if place.mode is Mode.VERSIONED:
            return VersionedWorkload(self._kube, target, place, version).ensure()
        if need.home:
            return OwnersWorkload(self._kube, target, place).look(version, keep=True)
        return ClonedWorkload(self._kube, target, place, version).ensure(need.share)

    def _look(self, target: TargetId, place: Place, version: VersionRef, home: bool) -> Running:
        if place.mode is Mode.VERSIONED:
            return VersionedWorkload(self._kube, target, place, version).look()
        if place.mode is Mode.OBSERVE:
            return OwnersWorkload(self._kube, target, place).wait(version)
        if home:
            return OwnersWorkload(self._kube, target, place).look(version)
        return ClonedWorkload(self._kube, target, place, version).look()

    def _promote(self, target: TargetId, place: Place, version: VersionRef, claim: Claim) -> Running:
        """Only in place of a copy is there something to patch; elsewhere the version is where it will stay."""
        if place.mode is not Mode.CLONE:
            return self._look(target, place, version, home=True)
        if place.promotion is not Promotion.PATCH:
            return OwnersWorkload(self._kube, target, place).wait(version)
        twin = ClonedWorkload(self._kube, target, place, version).find()
        return OwnersWorkload(self._kube, target, place).promote(version, twin, *claim)

    def _place(self, workload: Workload) -> Place:
        return place_of(workload, self._namespaces)


def _told(ask: Callable[[], Running]) -> Running:
    """What is refused will be refused again: that is an answer. What went away meanwhile may come back."""
    try:
        return ask()
    except Absent as error:
        return Running(False, looked_for=str(error))
    except Refused as error:
        return Running(False, failing=str(error), looked_for=str(error))
