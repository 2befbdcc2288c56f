"""What cannot be copied beside stable without harm, each by name and with what to do instead. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from delivery.adapters.kube import images, labels
from delivery.adapters.kube.objects import Document

VERSIONED = "deploy each version beside the last and use mode: versioned"
OBSERVE = "use mode: observe"
_ALONE = {"ReadWriteOnce", "ReadWriteOncePod"}
_SHARED = {"ReadWriteMany", "ReadOnlyMany"}


@dataclass(frozen=True, slots=True)
class Home:
    """The owners' Deployment with all in its namespace that a copy of it has to get along with."""

    deployment: Document
    service: Document
    namespace: Document
    services: Sequence[Document] = ()
    autoscalers: Sequence[Document] = ()
    budgets: Sequence[Document] = ()
    scaled: Sequence[Document] = ()
    claims: Sequence[Document] = ()

    @property
    def pod(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.deployment["spec"]["template"]
        return found

    @property
    def pod_labels(self) -> Mapping[str, str]:
        return self.pod["metadata"].get("labels") or {}


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy's pods would be called. `joins`: they are to be selected by the owners' Service."""

    labels: Mapping[str, str] = field(default_factory=dict)
    joins: bool = False


def reasons(home: Home, copied: Copied) -> tuple[str, ...]:
    """Why there can be no copy; none where there can."""
    return (*_about_service(home.service), *_about_pods(home), *_about_scaling(home), *_about_labels(home, copied))


def _about_service(service: Document) -> Iterator[str]:
    name, spec = f"Service {_name(service)}", service["spec"]
    if spec.get("clusterIP") == "None":
        yield f"{name} is headless: its callers pick pods themselves, so no route can split them; {OBSERVE}"
    if spec.get("type") == "ExternalName":
        yield f"{name} is of type ExternalName: there are no pods behind it; name the Service that selects them"
    elif not spec.get("selector"):
        yield f"{name} has no selector: its endpoints are somebody else's work; {VERSIONED}"


def _about_pods(home: Home) -> Iterator[str]:
    for one in images.containers_of(home.pod):
        for port in one.get("ports") or ():
            if port.get("hostPort"):
                yield (
                    f"container {one['name']} takes hostPort {port['hostPort']} of its node: a copy would find it "
                    f"taken; remove hostPort"
                )
    if home.pod["spec"].get("hostNetwork"):
        yield f"its pods are on their node's network: a copy of one would find its ports taken; {VERSIONED}"
    for claim in home.claims:
        modes = set(claim["spec"].get("accessModes") or ())
        if modes & _ALONE and not modes & _SHARED:
            yield (
                f"volume claim {_name(claim)} is {', '.join(sorted(modes))}: a copy could not mount it beside stable; "
                f"share it as ReadWriteMany, or {OBSERVE}"
            )


def _about_scaling(home: Home) -> Iterator[str]:
    name = home.deployment["metadata"]["name"]
    for scaled in home.scaled:
        reference = scaled["spec"].get("scaleTargetRef") or {}
        if reference.get("kind", "Deployment") == "Deployment" and reference.get("name") == name:
            yield (
                f"ScaledObject {_name(scaled)} of KEDA scales it: its triggers count the work of all versions; replace "
                f"it by a HorizontalPodAutoscaler, or {VERSIONED}"
            )
    if _is_ambient(home) and not _waypoint(home):
        yield (
            f"it is in ambient mode and Service {_name(home.service)} has no waypoint: no proxy would split its "
            f"requests; label the Service istio.io/use-waypoint"
        )


def _about_labels(home: Home, copied: Copied) -> Iterator[str]:
    deployment = home.deployment
    if labels.selects(deployment["spec"]["selector"], copied.labels):
        yield (
            f"the selector of Deployment {_name(deployment)} would select a copy's pods too, and its autoscaler would "
            f"stop; add a label to the selector that only it has"
        )
    own = home.service["metadata"]["name"]
    for service in home.services:
        joins = labels.service_selects(service["spec"].get("selector"), copied.labels)
        if joins and not (copied.joins and service["metadata"]["name"] == own):
            yield (
                f"Service {_name(service)} would also select the candidate's pods, and its callers would meet them at "
                f"0 percent; select by a label that Service {own} or the Deployment selects by"
            )


def _is_ambient(home: Home) -> bool:
    where = (home.namespace["metadata"].get("labels") or {}).get("istio.io/dataplane-mode")
    pod = home.pod_labels.get("istio.io/dataplane-mode", where)
    return pod == "ambient"


def _waypoint(home: Home) -> bool:
    for document in (home.service, home.namespace):
        used = (document["metadata"].get("labels") or {}).get("istio.io/use-waypoint")
        if used is not None:
            return bool(used != "none")
    return False


def _name(document: Document) -> str:
    return f"{document['metadata'].get('namespace')}/{document['metadata']['name']}"
