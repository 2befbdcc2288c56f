"""Port Deployer over Argo CD: its Application says whether it is done, the Deployment itself what runs."""

from collections.abc import Callable, Collection, Mapping, Sequence

from delivery.adapters.kube import images
from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.argocd import application as app
from delivery.adapters.workloads.argocd.application import Applications
from delivery.adapters.workloads.argocd.bringing import Bringing
from delivery.adapters.workloads.kubernetes import condition, identity
from delivery.adapters.workloads.kubernetes.place import place_of
from delivery.adapters.workloads.kubernetes.reader import Reader
from delivery.adapters.workloads.kubernetes.versioned import names
from delivery.model.ids import TargetId
from delivery.model.place import Mode, Place
from delivery.model.service import Workload
from delivery.model.standing import Standing
from delivery.model.version import VersionRef
from delivery.ports.deployer import Found
from delivery.ports.errors import Refused
from delivery.ports.workloads import Running
from delivery.sources.times import micros


class ArgoDeployer:
    """`kube` is the cluster of the target, `namespaces` those of it that opted in."""

    def __init__(self, kube: Kube, namespaces: Collection[str], applications: Applications) -> None:
        self._kube = kube
        self._namespaces = frozenset(namespaces)
        self._applications = applications

    def find(self, target: TargetId, workload: Workload, hint: Mapping[str, str]) -> Found:
        place = place_of(workload, self._namespaces)
        if hint.get("namespace", self._applications.namespace) != self._applications.namespace:
            told = f"Application {hint['namespace']}/{hint['application']}"
            raise Refused(f"{told} is in none of Argo CD's namespaces here: {self._applications.namespace}")
        application = self._applications.get(hint["application"])
        reader = Reader(self._kube, place.namespace)
        deployment, version = self._deployment(application, reader, place)
        facts = {
            **_of_application(application),
            **_of_version(version),
            "deployment": str(deployment["metadata"]["name"]),
        }
        waits = _unfinished(application, place) or condition.missing(deployment)
        return Found(facts, waits, micros(app.finished(application)), app.initiator(application))

    def bring(
        self, target: TargetId, workload: Workload, version: VersionRef, still: Callable[[], bool], token: str
    ) -> Running:
        place = place_of(workload, self._namespaces)
        try:
            return Bringing(self._kube, self._applications, target, place, version).bring(still, token)
        except Refused as error:
            return Running(False, failing=str(error), looked_for=str(error))

    def stands(self, application: str) -> Standing:
        found = self._applications.get(application)
        detail = app.operating(found) or app.trouble(found)
        return Standing(app.name(found), app.sync(found), app.health(found), detail, app.revision(found))

    def _deployment(self, application: Document, reader: Reader, place: Place) -> tuple[Document, VersionRef]:
        """The one that it put there last. Its `summary.images` has those of old pods too: the Deployment is read."""
        managed = [name for name, _ in app.deployments(application, place.namespace)]
        if place.mode is not Mode.VERSIONED and place.deployment in managed:
            return _read(reader, place, reader.owners(place))
        if place.mode is Mode.VERSIONED:
            there = [found for name in managed if (found := reader.deployment(name)) is not None]
            pairs = [_read(reader, place, one) for one in there]
            theirs = [pair for pair in pairs if pair[0]["metadata"]["name"] in names(place, pair[1].version)]
            if theirs:
                return max(theirs, key=lambda pair: str(pair[0]["metadata"]["creationTimestamp"]))
        wanted = place.candidate if place.mode is Mode.VERSIONED else place.deployment
        raise Refused(
            f"{app.name(application)} manages no Deployment {place.namespace}/{wanted}; it has: {_listed(managed)}"
        )


def _read(reader: Reader, place: Place, deployment: Document) -> tuple[Document, VersionRef]:
    called = (place.deployment, place.service)
    container = images.container(deployment["spec"]["template"], called)
    pods = () if images.digest(container["image"]) else reader.newest_pods(deployment)
    return deployment, identity.running(deployment, pods, called, lambda: reader.tracked(place))


def _unfinished(application: Document, place: Place) -> str:
    """What is missing by Argo CD's own word. The health of all that the Application has is for triggers to ask for: one
    of its other parts may be ill for long."""
    behind = [name for name, status in app.deployments(application, place.namespace) if status != "Synced"]
    if (doing := app.operating(application)) != "":
        return doing
    if behind:
        return f"Deployment {place.namespace}/{behind[0]} is not synced"
    return f"{app.health(application)} by Argo CD" if app.health(application) == "Progressing" else ""


def _of_application(application: Document) -> dict[str, str]:
    found = {
        "application": str(application["metadata"]["name"]),
        "project": str(application["spec"].get("project", "")),
        "sync": app.sync(application),
        "health": app.health(application),
        "revision": app.revision(application),
    }
    return {name: value for name, value in found.items() if value}


def _of_version(version: VersionRef) -> dict[str, str]:
    image = version.image or ""
    found = {
        "version": version.version,
        "image": image,
        "tag": images.tag(image),
        "digest": images.digest(image),
        "repository": images.repository(image) if image else "",
    }
    return {name: value for name, value in found.items() if value}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)) or "none in this namespace"
