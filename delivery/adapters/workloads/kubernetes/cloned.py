"""A candidate as a copy of stable's Deployment, behind a Service of its own: made, sized, looked at, taken away.

So is the copy of stable that it is compared with, which differs from stable in nothing but its age.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from delivery.adapters.kube import images, labels, marks
from delivery.adapters.kube.api import Api
from delivery.adapters.kube.objects import Document, path, path_of
from delivery.adapters.workloads.kubernetes import (
    clone,
    condition,
    configuration,
    identity,
    promotion,
    refusals,
    state,
)
from delivery.adapters.workloads.kubernetes.clone import Copy
from delivery.adapters.workloads.kubernetes.edit import create, delete, drop_copy, is_pinned, pinned
from delivery.adapters.workloads.kubernetes.original import original
from delivery.adapters.workloads.kubernetes.reader import AUTOSCALING, POLICY, Reader
from delivery.adapters.workloads.kubernetes.refusals import Copied, Home
from delivery.model.ids import TargetId
from delivery.model.place import Isolation, Place, object_name
from delivery.model.version import Backend, VersionRef
from delivery.ports.errors import Refused, Unavailable
from delivery.ports.workloads import Running

_AROUND = ((AUTOSCALING, "HorizontalPodAutoscaler"), (POLICY, "PodDisruptionBudget"), ("v1", "Service"))


class ClonedWorkload:
    """One version of one target."""

    def __init__(self, kube: Api, target: TargetId, place: Place, version: VersionRef) -> None:
        self._kube = kube
        self._target = target
        self._place = place
        self._version = version
        self._reader = Reader(kube, place.namespace)
        self.name = object_name(Backend(target.rpartition("@")[0], version))

    def find(self) -> Document | None:
        """Its Deployment. Raises Refused where one of that name is not ours."""
        found = self._reader.deployment(self.name)
        if found is not None:
            marks.demand_ours(found, self._target)
        return found

    def ensure(self, share: int, by: str = "") -> Running:
        """Makes it where it is not there, and makes it larger where its share grows; never smaller. `by` a release."""
        deployment = self.find()
        service = self._its_service()
        if deployment is None or service is None:
            deployment, service = self._make(share, by)
        else:
            deployment = self._keep(deployment, by)
            if share > clone.sized_for(deployment):
                return self._grown(deployment, service, share)
        return self._state(deployment, service)

    def look(self) -> Running:
        deployment = self.find()
        service = self._its_service()
        if deployment is None or service is None:
            return Running(False, looked_for=self._looked_for())
        return self._state(deployment, service)

    def retire(self, still: Callable[[], bool]) -> None:
        """Its pods end their requests behind their Service, then the rest goes. Raises Unavailable until then."""
        deployment = self.find()
        if deployment is not None:
            delete(self._kube, deployment, still, _asked)
        left = self._reader.pods({"matchLabels": {marks.BACKEND: self.name}})
        if left:
            raise Unavailable(f"{len(left)} pods of {self._where()} still end their requests", retry_after=1.0)
        for found in self._around():
            delete(self._kube, found, still, lambda one: one["metadata"]["uid"])
        if self._place.track and not self._version.is_copy:
            self._drop_configuration(still)

    def _around(self) -> Iterator[Document]:
        """What of ours stands around it."""
        for version, kind in _AROUND:
            found = self._kube.find(path(version, kind, self._place.namespace, self.name))
            if found is not None and marks.is_ours(found, self._target):
                yield found

    def _keep(self, deployment: Document, by: str) -> Document:
        """For a release that has not used it yet: whoever was about to take it away has to look again. The Deployment
        last: where it is marked, the rest is."""
        if is_pinned(deployment, by):
            return deployment
        for found in self._around():
            pinned(self._kube, found, by)
        return pinned(self._kube, deployment, by)

    def _drop_configuration(self, still: Callable[[], bool]) -> None:
        """Its copies of tracked objects, but for what its owners' Deployment reads or may have to go back to."""
        home = self._reader.deployment(self._place.deployment)
        kept = promotion.kept_configuration(home) if home is not None else frozenset()
        for reference in configuration.objects(configuration.of_copy(self._place, self.name)):
            if reference not in kept:
                drop_copy(self._kube, self._target, self._reader, reference, still)

    def _make(self, share: int, by: str) -> tuple[Document, Document]:
        """All of it, the Deployment last: where it is there, the rest is. Raises Refused where it cannot be copied."""
        if self._version.image is None and not self._version.is_copy:
            raise Refused(f"version {self._version.version} has no image: the event has to say which one to run")
        home = self._reader.around(self._place, self._original())
        wanted = self._copy(home)
        joined = Copied(clone.pod_labels(home.deployment, home.service, wanted), self._joins)
        reasons = (*refusals.reasons(home, joined), *configuration.wrong(home.deployment, self._place))
        if reasons:
            theirs = f"{self._place.namespace}/{home.deployment['metadata']['name']}"
            raise Refused(f"Deployment {theirs} cannot be copied: {'; '.join(reasons)}")
        state.endpoint(self._place, self.name, home.service)
        if not self._version.is_copy:
            wanted = replace(wanted, config=self._fix_configuration(wanted, by))
        if not self._joins:
            self._create(clone.its_service(home.service, wanted), by)
        for document in _around(home, wanted, share):
            self._create(document, by)
        made = clone.deployment(home.deployment, home.service, wanted, share)
        return self._create(made, by), home.service

    def _create(self, document: Document, by: str) -> Document:
        """Makes it, or keeps the one that is there."""
        if by:
            document["metadata"]["annotations"][marks.USED_BY] = by
        return pinned(self._kube, create(self._kube, document, self._target), by)

    def _copy(self, home: Home) -> Copy:
        known = (self._place.deployment, self._place.service)
        container = images.container(home.pod, known, self._version.image)["name"]
        names = {} if self._version.is_copy else configuration.of_copy(self._place, self.name)
        return Copy(self._target, self.name, self._version, self._place.isolation, container, names=names)

    def _original(self) -> Document:
        return original(self._kube, self._target, self._place, self._version)

    def _fix_configuration(self, wanted: Copy, by: str) -> str:
        """Copies what is tracked, so that nobody changes it under the version; the hash of what it is. Copies that are
        there already stay: they are what this version was tried with."""
        tracked = self._reader.tracked(self._place)
        made = []
        for reference, one in zip(self._place.track, tracked, strict=True):
            labels, annotations = marks.labels(self.name), wanted.annotations()
            copied = configuration.copied(one, wanted.names[reference], labels, annotations)
            made.append({**one, **_contents(self._create(copied, by))})
        found, known = identity.fingerprint(made), identity.config_of(self._version)
        if known and known != found:
            raise Refused(
                f"{', '.join(self._place.track)} is not what {self._version.version} was started with: set it back, or "
                f"release the version again with the configuration of now"
            )
        return found

    def _grown(self, deployment: Document, service: Document, share: int) -> Running:
        """One that cannot be made larger goes on as it is."""
        try:
            return self._state(self._grow(deployment, share), service)
        except Refused as error:
            found, text = self._state(deployment, service), str(error)
            return Running(False, failing=text, looked_for=text, answers=found.ready or found.answers)

    def _grow(self, deployment: Document, share: int) -> Document:
        """Its autoscaler first, so that it takes nothing away again."""
        size = clone.size(self._original(), share)
        hpa = self._kube.find(path(AUTOSCALING, "HorizontalPodAutoscaler", self._place.namespace, self.name))
        if hpa is not None and hpa["spec"].get("minReplicas", 1) < size:
            marks.demand_ours(hpa, self._target)
            limits = {"minReplicas": size, "maxReplicas": max(size, hpa["spec"]["maxReplicas"])}
            self._kube.patch(path_of(hpa), {"spec": limits})
        larger = max(size, deployment["spec"].get("replicas", 1))
        notes = {"annotations": clone.sized(share, size)}
        return self._kube.patch(path_of(deployment), {"metadata": notes, "spec": {"replicas": larger}})

    def _state(self, deployment: Document, service: Document) -> Running:
        name = self._place.service if self._joins else self.name
        address = state.endpoint(self._place, name, service)
        missing = condition.unavailable(deployment, clone.pods(deployment))
        return state.running(self._reader, deployment, address, self._looked_for(), missing)

    def _its_service(self) -> Document | None:
        return self._reader.service(self._place.service if self._joins else self.name)

    @property
    def _joins(self) -> bool:
        """The owners' Service selects its pods too, and subsets tell them apart."""
        return self._place.isolation is Isolation.SUBSET

    def _looked_for(self) -> str:
        of = "stable's version" if self._version.is_copy else f"{self._place.deployment} with version"
        return f"Deployment {self._where()}, a copy of {of} {self._version.version}"

    def _where(self) -> str:
        return f"{self._place.namespace}/{self.name}"


def _around(home: Home, wanted: Copy, share: int) -> Iterator[Document]:
    """What stands around the copy, as around stable. A budget that counts its pods already is enough: of two that
    match, every eviction fails."""
    for hpa in home.autoscalers[:1]:
        scaler = clone.autoscaler(hpa, home.deployment, wanted, share)
        if scaler is not None:
            yield scaler
    pods = clone.pod_labels(home.deployment, home.service, wanted)
    theirs = [one for one in home.budgets if one["metadata"]["name"] != wanted.name]
    budgets = [one for one in theirs if labels.selects(one["spec"].get("selector"), home.pod_labels)]
    if budgets and not any(labels.selects(one["spec"].get("selector"), pods) for one in theirs):
        yield clone.budget(budgets[0], wanted)


def _contents(found: Document) -> Document:
    return {key: found.get(key) or {} for key in ("data", "binaryData")}


def _asked(deployment: Document) -> tuple[object, ...]:
    """What is asked of it, apart from how it is."""
    metadata = deployment["metadata"]
    return metadata["uid"], metadata["generation"], clone.sized_for(deployment)
