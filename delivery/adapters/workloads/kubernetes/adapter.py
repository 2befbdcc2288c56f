"""Port Workloads over Deployments of a Kubernetes cluster, in the mode that the service file names.

Nothing that is not ours is written, but for the owners' Deployment when it is promoted, the `minReplicas` of its
autoscaler while a release may go back to it, and a mark on a version's Deployment while it is used.
"""

from collections.abc import Callable, Collection
from contextlib import suppress

from delivery.adapters.kube.api import Api
from delivery.adapters.kube.client import Absent, Kube
from delivery.adapters.kube.observed import Observed, Unseen
from delivery.adapters.workloads.kubernetes.cloned import ClonedWorkload
from delivery.adapters.workloads.kubernetes.home import OwnersWorkload
from delivery.adapters.workloads.kubernetes.place import place_of
from delivery.adapters.workloads.kubernetes.serving import serving
from delivery.adapters.workloads.kubernetes.versioned import VersionedWorkload
from delivery.model.ids import TargetId
from delivery.model.place import Mode, Place, Promotion
from delivery.model.service import Workload
from delivery.model.version import VersionRef
from delivery.ports.errors import PortError, Refused
from delivery.ports.workloads import EVERYTHING, Need, Running, always

Claim = tuple[Callable[[], bool], str]
"""Whether the target is still ours, and the token of what was decided."""


class KubernetesWorkloads:
    """`namespaces` are those that opted in: whoever may write a service file does not choose where we write.

    `observed` has what is watched there; without it every look is a request.
    """

    def __init__(self, kube: Kube, namespaces: Collection[str], observed: Observed | None = None) -> None:
        self._kube = kube
        self._namespaces = frozenset(namespaces)
        self._observed = observed

    def close(self) -> None:
        """Ends what works in the background."""
        if self._observed is not None:
            self._observed.close()
        self._kube.close()

    def ensure(self, target: TargetId, workload: Workload, version: VersionRef, need: Need = EVERYTHING) -> Running:
        return self._asked(need.known, lambda kube: _ensure(kube, target, self._place(workload), version, need))

    def look(self, target: TargetId, workload: Workload, version: VersionRef, *, home: bool = False) -> Running:
        return self._asked(False, lambda kube: _look(kube, target, self._place(workload), version, home))

    def retire(
        self, target: TargetId, workload: Workload, version: VersionRef, still: Callable[[], bool] = always
    ) -> None:
        place = self._place(workload)
        if place.mode is Mode.CLONE or version.is_copy:
            ClonedWorkload(self._kube, target, place, version).retire(still)
        elif place.mode is Mode.VERSIONED:
            VersionedWorkload(self._kube, target, place, version).retire(still)

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
        def ask(kube: Api) -> Running:
            claim = still if kube is self._kube else _unasked, token
            return _promote(kube, target, self._place(workload), version, claim)

        return self._asked(False, ask)

    def rest(self, target: TargetId, workload: Workload) -> None:
        OwnersWorkload(self._kube, target, self._place(workload)).free()

    def _asked(self, known: bool, ask: Callable[[Api], Running]) -> Running:
        """What is observed, where that is no news: still ready where that is known, else still waited for. Whatever
        changes anything, and every write, comes of what the API server itself says at this moment.
        """
        if self._observed is not None:
            with suppress(Unseen, PortError):
                found = ask(self._observed)
                if found.ready if known else not found.ready and found.failing is None:
                    return found
        return _told(lambda: ask(self._kube))

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


def _unasked() -> bool:
    """Nothing is written on the word of a watch: nobody is asked whether it may be."""
    raise Unseen


def _ensure(kube: Api, target: TargetId, place: Place, version: VersionRef, need: Need) -> Running:
    if version.is_copy:
        return ClonedWorkload(kube, target, place, version).ensure(_share(place, need), need.by)
    if place.mode is Mode.OBSERVE:
        return OwnersWorkload(kube, target, place).wait(version)
    if place.mode is Mode.VERSIONED:
        return VersionedWorkload(kube, target, place, version).ensure(need.by)
    if need.home:
        return OwnersWorkload(kube, target, place).look(version, keep=need.by)
    return ClonedWorkload(kube, target, place, version).ensure(need.share, need.by)


def _look(kube: Api, target: TargetId, place: Place, version: VersionRef, home: bool) -> Running:
    if version.is_copy:
        return ClonedWorkload(kube, target, place, version).look()
    if place.mode is Mode.VERSIONED:
        return VersionedWorkload(kube, target, place, version).look()
    if place.mode is Mode.OBSERVE:
        return OwnersWorkload(kube, target, place).wait(version)
    if home:
        return OwnersWorkload(kube, target, place).look(version)
    return ClonedWorkload(kube, target, place, version).look()


def _share(place: Place, need: Need) -> int:
    """What a copy of stable is made for: as many pods as the candidate has, which CI deploys whole."""
    return need.share if place.mode is Mode.CLONE else 100


def _promote(kube: Api, target: TargetId, place: Place, version: VersionRef, claim: Claim) -> Running:
    """Only in place of a copy is there something to patch; elsewhere the version is where it will stay."""
    if place.mode is not Mode.CLONE:
        return _look(kube, target, place, version, home=True)
    if place.promotion is not Promotion.PATCH:
        return OwnersWorkload(kube, target, place).wait(version)
    twin = ClonedWorkload(kube, target, place, version).find()
    return OwnersWorkload(kube, target, place).promote(version, twin, *claim)
