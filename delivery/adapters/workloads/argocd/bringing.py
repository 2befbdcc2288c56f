"""Bringing a version home through Argo CD: its Application is told, and the rest is waited for.

An Application has no status of its own in the API: Argo CD writes into the same object all the time. So a write that
meets only that is tried again, and one that meets a change of what is asked is a conflict.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from delivery.adapters.kube import images
from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.argocd import application as app
from delivery.adapters.workloads.argocd import parameters
from delivery.adapters.workloads.argocd.application import Applications
from delivery.adapters.workloads.kubernetes import promotion
from delivery.adapters.workloads.kubernetes.cloned import ClonedWorkload
from delivery.adapters.workloads.kubernetes.reader import Reader
from delivery.adapters.workloads.told import demand_way_back, may_run
from delivery.model.ids import TargetId
from delivery.model.place import Parameter, Place
from delivery.model.version import VersionRef
from delivery.ports.errors import Conflict, Refused
from delivery.ports.workloads import Running

ATTEMPTS = 5  # of a write that only met a new status
US = "progressive-delivery"
Note = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bringing:
    """Of one target to one version."""

    kube: Kube
    applications: Applications
    target: TargetId
    place: Place
    version: VersionRef

    def bring(self, still: Callable[[], bool], token: str) -> Running:
        parameter = self.place.parameter
        if parameter is None:
            raise Refused("the service file does not say which parameter of which Application: promotion.parameter")
        for _ in range(ATTEMPTS):
            read = self.applications.get(parameter.application)
            deployment = self._deployment(read)
            wanted, note = self._wanted(read, deployment, parameter)
            reason = self._in_the_way(read, deployment, parameter, wanted)
            if reason:
                return Running(False, failing=reason, looked_for=reason)
            changed = parameters.with_value(read, parameter, wanted)
            if changed["spec"] == read["spec"] and parameters.is_claimed(read, token):
                return self._followed(read, deployment, token, still)
            self._demand(still)
            written = self._write(parameters.marked(changed, token, note), read)
            if written is not None:
                return Running(False, looked_for=f"{app.name(written)} was told to run {self.version.version}")
        raise Conflict(f"Application {parameter.application} changes faster than it can be written")

    def _deployment(self, application: Document) -> Document:
        """Only an Application that manages the service's own Deployment is told anything by its service file."""
        managed = dict(app.deployments(application, self.place.namespace))
        if self.place.deployment not in managed:
            there = ", ".join(sorted(managed)) or "none in this namespace"
            where = f"{self.place.namespace}/{self.place.deployment}"
            raise Refused(f"{app.name(application)} does not manage Deployment {where}; it has: {there}")
        return Reader(self.kube, self.place.namespace).owners(self.place)

    def _wanted(self, read: Document, deployment: Document, parameter: Parameter) -> tuple[str, Note]:
        """What the parameter has to be, and what is noted with it. Raises Refused where there would be no way back."""
        value, note = parameters.value_of(self.version, parameter), parameters.noted(read)
        if not note:
            demand_way_back(str(self._container(deployment)["image"]), parameter.value, parameter.name)
        changes = parameters.current(read, parameter) != value
        tries = note.get("tries", 0) if note.get("value") == value else 0
        return value, {"value": value, "tries": tries + changes}

    def _in_the_way(self, read: Document, deployment: Document, parameter: Parameter, wanted: str) -> str:
        """Why it may not be told; nothing where it may."""
        note = parameters.noted(read)
        stands = parameters.current(read, parameter)
        if stands != wanted and note.get("value") == wanted and note.get("tries", 0) >= parameters.TRIES:
            return (
                f"{parameter.name} of {app.name(read)} was set to {wanted} {parameters.TRIES} times and set back to "
                f"{stands or 'what git says'}{_by(read)}: whoever makes the Application has to leave it alone"
            )
        container = self._container(deployment)
        if may_run(str(container["image"]), self.version):
            return ""
        twin = ClonedWorkload(self.kube, self.target, self.place, self.version).find()
        return promotion.in_the_way(deployment, self.version, container["name"], twin)

    def _followed(self, read: Document, deployment: Document, token: str, still: Callable[[], bool]) -> Running:
        """It was told: what it does about that."""
        behind = dict(app.deployments(read, self.place.namespace))[self.place.deployment] != "Synced"
        container = self._container(deployment)["image"]
        if (doing := app.operating(read)) != "":
            return Running(False, looked_for=doing)
        if may_run(str(container), self.version) and not behind:
            return Running(True)
        if app.was_told(read, token) or app.automated(read):
            failing = app.failed(read, token) or (
                "" if behind or not app.is_compared(read) else self._deaf(read, container)
            )
            waits = f"{app.name(read)} to be synced, it is {app.sync(read)} and {app.health(read)}"
            return Running(False, failing=failing or None, looked_for=failing or waits)
        self._demand(still)
        asked = self._write({**read, "operation": app.operation(read, self._named(), token, US)}, read)
        told = "was asked to sync its Deployment" if asked else "changes just now"
        return Running(False, looked_for=f"{app.name(read)} {told}")

    def _deaf(self, read: Document, runs: str) -> str:
        """It says that it is done, and is not."""
        name = self.place.parameter.name if self.place.parameter else ""
        where = f"{self.place.namespace}/{self.place.deployment}"
        return f"{app.name(read)} is synced and Deployment {where} still runs {runs}: {name} does not set its image"

    def _named(self) -> Document:
        named = {"group": "apps", "kind": "Deployment"}
        return {**named, "namespace": self.place.namespace, "name": self.place.deployment}

    def _write(self, wanted: Document, read: Document) -> Document | None:
        """None where only its status was new: then it is worth another try. Raises Conflict for any other change."""
        try:
            return self.applications.kube.replace(wanted)
        except Conflict:
            now = self.applications.get(read["metadata"]["name"])
            if parameters.asked_for(now) != parameters.asked_for(read):
                raise
            return None

    def _demand(self, still: Callable[[], bool]) -> None:
        if not still():
            raise Conflict(f"somebody else has {self.target} by now")

    def _container(self, deployment: Document) -> Mapping[str, Any]:
        names = (self.place.deployment, self.place.service)
        return images.container(deployment["spec"]["template"], names, self.version.image)


def _by(application: Document) -> str:
    owners = application["metadata"].get("ownerReferences") or ()
    return f" by {owners[0]['kind']} {owners[0]['name']}" if owners else ""
