"""What stays in a cluster when this service goes, and how people take it out. Reads only."""

from dataclasses import dataclass

from delivery.adapters.kube import marks
from delivery.adapters.kube.client import Absent, Kube
from delivery.adapters.kube.objects import ISTIO, Document, path
from delivery.adapters.mesh.istio import guards, leave, stamps, tags
from delivery.adapters.mesh.istio.survey import as_yaml
from delivery.adapters.workloads.kubernetes import configuration
from delivery.model.finding import Finding, Weight
from delivery.ports.errors import Refused

_KINDS = (
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    (ISTIO, "DestinationRule"),
)
_BESIDE = (
    *((version, kind) for kind, version in guards.VERSIONS.items() if kind != guards.HOST),
    (tags.VERSION, tags.KIND),
)
"""What limits a candidate, or tells its traces apart: only few accounts may read these."""
_CONFIGURATION = (("v1", "ConfigMap"), ("v1", "Secret"))
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
    findings = [_in_use(one) for one in virtual if leave.carries_users(one, service)]
    for version, kind in _BESIDE:
        try:
            commands += [_delete(one) for one in _ours(kube, namespace, service, version, kind)]
        except Refused as error:
            findings.append(Finding(Weight.WARNS, f"{kind} in {namespace}", f"ours were not looked for: {error}"))
    commands += [command for kind in _KINDS[:3] for command in _noted(kube, namespace, *kind)]
    read = _read(kube, namespace)
    for version, kind in _CONFIGURATION:
        try:
            copies = _ours(kube, namespace, service, version, kind)
        except Refused as error:
            findings.append(Finding(Weight.WARNS, f"{kind}s in {namespace}", f"copies were not looked for: {error}"))
            continue
        commands += [_delete(one) for one in copies if _reference(one) not in read]
        findings += [_still_read(one, read[_reference(one)]) for one in copies if _reference(one) in read]
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


def _read(kube: Kube, namespace: str) -> dict[str, str]:
    """What the owners' Deployments read, and one of those that do."""
    found = kube.get(path("apps/v1", "Deployment", namespace))["items"]
    owners = [one for one in found if (one["metadata"].get("labels") or {}).get(marks.MANAGED_BY) != marks.US]
    return {
        reference: one["metadata"]["name"]
        for one in owners
        for reference in configuration.read_by(one["spec"]["template"])
    }


def _reference(document: Document) -> str:
    return f"{document['kind'].lower()}/{document['metadata']['name']}"


def _still_read(document: Document, deployment: str) -> Finding:
    name = f"{document['kind']} {document['metadata']['namespace']}/{document['metadata']['name']}"
    text = (
        f"Deployment {deployment} reads this copy of tracked configuration, and its next pod would not start "
        f"without it: have it read your own object again, then delete the copy"
    )
    return Finding(Weight.WARNS, name, text)


def _delete(document: Document) -> str:
    metadata = document["metadata"]
    return f"kubectl delete -n {metadata['namespace']} {document['kind'].lower()}/{metadata['name']}"


def _in_use(document: Document) -> Finding:
    name = f"VirtualService {document['metadata']['namespace']}/{document['metadata']['name']}"
    text = "it sends users to a version that we run: abort or promote the release first, or they lose what answers them"
    return Finding(Weight.BLOCKS, name, text)
