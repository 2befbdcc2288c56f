"""What stays in a cluster when this service goes, and how people take it out. Reads only."""

from dataclasses import dataclass

from delivery.adapters.kube import marks
from delivery.adapters.kube.client import Absent, Kube
from delivery.adapters.kube.objects import ISTIO, Document, path
from delivery.adapters.mesh.istio import leave, stamps
from delivery.adapters.mesh.istio.survey import as_yaml
from delivery.model.finding import Finding, Weight

_KINDS = (
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    (ISTIO, "DestinationRule"),
)
_NOTES = marks.PREFIX


@dataclass(frozen=True, slots=True)
class Left:
    """`routes` are VirtualServices as they are without us, `commands` what removes the rest, in this order."""

    findings: tuple[Finding, ...]
    routes: tuple[str, ...]
    commands: tuple[str, ...]


def left(kube: Kube, namespace: str, service: str) -> Left:
    """All that is ours of a service in a namespace. Raises Refused without the right to look."""
    virtual = [
        one for one in kube.get(path(ISTIO, "VirtualService", namespace))["items"] if service in stamps.services(one)
    ]
    made = [one for kind in _KINDS for one in _ours(kube, namespace, service, *kind)]
    commands = [_delete(one) for one in made]
    commands += [command for kind in _KINDS[:3] for command in _noted(kube, namespace, *kind)]
    findings = [_in_use(one) for one in virtual if leave.carries_users(one, service)]
    return Left(tuple(findings), tuple(as_yaml(leave.without(one, service)) for one in virtual), tuple(commands))


def _ours(kube: Kube, namespace: str, service: str, version: str, kind: str) -> list[Document]:
    selector = f"{marks.MANAGED_BY}={marks.US}"
    try:
        found = kube.get(path(version, kind, namespace), labelSelector=selector)["items"]
    except Absent:
        return []
    return [{"kind": kind, **one} for one in found if _belongs(one, service)]


def _belongs(document: Document, service: str) -> bool:
    target = (document["metadata"].get("annotations") or {}).get(marks.TARGET, "")
    return bool(target.rpartition("@")[0] == service)


def _noted(kube: Kube, namespace: str, version: str, kind: str) -> list[str]:
    """Notes of ours on objects of their owners, such as the minReplicas that an autoscaler had."""
    commands = []
    for one in kube.get(path(version, kind, namespace))["items"]:
        metadata = one["metadata"]
        keys = [key for key in metadata.get("annotations") or {} if key.startswith(_NOTES)]
        if keys and (metadata.get("labels") or {}).get(marks.MANAGED_BY) != marks.US:
            notes = " ".join(f"{key}-" for key in sorted(keys))
            commands.append(f"kubectl annotate -n {namespace} {kind.lower()}/{metadata['name']} {notes}")
    return commands


def _delete(document: Document) -> str:
    metadata = document["metadata"]
    return f"kubectl delete -n {metadata['namespace']} {document['kind'].lower()}/{metadata['name']}"


def _in_use(document: Document) -> Finding:
    name = f"VirtualService {document['metadata']['namespace']}/{document['metadata']['name']}"
    text = "it sends users to a version that we run: abort or promote the release first, or they lose what answers them"
    return Finding(Weight.BLOCKS, name, text)
