"""A copy of stable's Deployment for a candidate, and what stands around it: documents in, documents out. Pure.

The copy shares no label that the owners' Service or Deployment selects by: neither callers that read no rule nor the
autoscaler or the disruption budget of stable ever meet its pods.
"""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from delivery.adapters.kube import images, labels, marks
from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.kubernetes import configuration, metadata, spread
from delivery.model.ids import TargetId
from delivery.model.place import Isolation
from delivery.model.version import VersionRef

VERSION = f"{marks.PREFIX}version"
IDENTITY = f"{marks.PREFIX}identity"
CONFIG = f"{marks.PREFIX}config"
"""Annotation of a pod template: the hash of the tracked configuration that its pods were started with."""
COPIED_FROM = f"{marks.PREFIX}copied-from"
"""Annotation of a copy: the image that the owners' Deployment ran when the copy was made."""
SHARE, PODS = f"{marks.PREFIX}share", f"{marks.PREFIX}pods"
"""Annotations of a copy: the percent of the traffic that it has been sized for, and how many pods that are."""

_VERSION_LABELS = ("version", "app.kubernetes.io/version")
_POD_METRICS = ("Resource", "ContainerResource", "Pods")  # the others count what belongs to all versions together
_OF_A_SERVICE = (
    "internalTrafficPolicy",
    "ipFamilies",
    "ipFamilyPolicy",
    "publishNotReadyAddresses",
    "sessionAffinity",
    "sessionAffinityConfig",
    "trafficDistribution",
)


@dataclass(frozen=True, slots=True)
class Copy:
    """What a copy is called, whose it is, and what it runs. `config` is the hash of the tracked configuration, `names`
    what the copies of tracked objects are called."""

    target: TargetId
    name: str
    version: VersionRef
    isolation: Isolation
    container: str
    config: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def selector(self) -> dict[str, str]:
        return {marks.BACKEND: self.name}

    def annotations(self) -> dict[str, str]:
        return {marks.TARGET: self.target, VERSION: self.version.version, IDENTITY: self.version.identity}


def deployment(stable: Document, service: Document, wanted: Copy, share: int) -> Document:
    """The candidate's Deployment, sized for its share of stable's replicas."""
    spec = copy.deepcopy(stable["spec"])
    template = stable["spec"]["template"]
    image = images.container(template, (wanted.container,))["image"]
    if wanted.version.image:
        template = images.with_image(template, wanted.container, wanted.version.image)
    before, after = configuration.named(stable), {**configuration.named(stable), **wanted.names}
    template = configuration.redirected(template, before, after)
    spec["template"] = _template(template, pod_labels(stable, service, wanted), wanted)
    spec["selector"] = {"matchLabels": wanted.selector}
    spec["replicas"] = size(stable, share)
    spec.pop("paused", None)
    made = _object(stable, wanted, spec)
    notes = {COPIED_FROM: image, **sized(share, spec["replicas"]), **configuration.noted(after)}
    made["metadata"]["annotations"] |= metadata.copied(stable["metadata"].get("annotations")) | notes
    return made


def pod_labels(stable: Document, service: Document, wanted: Copy) -> dict[str, str]:
    """Labels of the copy's pods: stable's, but for those that stable's Service and Deployment select by."""
    template = stable["spec"]["template"]["metadata"].get("labels") or {}
    by_service = frozenset(service["spec"].get("selector") or {})
    dropped = labels.keys(stable["spec"]["selector"])
    dropped = dropped - by_service if wanted.isolation is Isolation.SUBSET else dropped | by_service
    kept = labels.without(template, dropped)
    told = label_value(wanted.version.version)
    versions = {key: told for key in _VERSION_LABELS if key in kept}
    return kept | {"version": wanted.name if "version" in dropped else told} | versions | wanted.selector


def its_service(service: Document, wanted: Copy) -> Document:
    """A Service for the copy alone: ports, session and traffic settings as stable's has them, and no way in from
    outside the cluster."""
    spec = {key: copy.deepcopy(service["spec"][key]) for key in _OF_A_SERVICE if key in service["spec"]}
    kept = ("name", "port", "protocol", "targetPort", "appProtocol")
    ports = [{key: port[key] for key in kept if key in port} for port in service["spec"]["ports"]]
    made = _object(service, wanted, {"type": "ClusterIP", **spec, "selector": wanted.selector, "ports": ports})
    made["metadata"]["annotations"] |= metadata.about_traffic(service["metadata"].get("annotations"))
    return made


def autoscaler(hpa: Document, stable: Document, wanted: Copy, share: int) -> Document | None:
    """Its own HorizontalPodAutoscaler; None where stable's counts nothing that is a pod's own."""
    spec = copy.deepcopy(hpa["spec"])
    spec["metrics"] = [one for one in spec.get("metrics") or () if one["type"] in _POD_METRICS]
    if not spec["metrics"]:
        return None
    spec["scaleTargetRef"] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": wanted.name}
    spec["minReplicas"] = size(stable, share)
    spec["maxReplicas"] = max(spec["maxReplicas"], spec["minReplicas"])
    return _object(hpa, wanted, spec)


def budget(pdb: Document, wanted: Copy) -> Document:
    """Its own PodDisruptionBudget. A number of pods that stable keeps would block every drain beside a smaller copy:
    there one pod may go at a time."""
    spec = copy.deepcopy(pdb["spec"])
    if isinstance(spec.get("minAvailable"), int):
        del spec["minAvailable"]
        spec["maxUnavailable"] = 1
    return _object(pdb, wanted, spec | {"selector": {"matchLabels": wanted.selector}})


def size(stable: Document, share: int) -> int:
    """Pods for so many percent of what stable has now; at least one."""
    replicas: int = stable["spec"].get("replicas", 1)
    return max(1, -(-replicas * share // 100))


def sized(share: int, pods: int) -> dict[str, str]:
    """Annotations that say what a copy has been sized for."""
    return {SHARE: str(share), PODS: str(pods)}


def sized_for(deployment: Document) -> int:
    """The percent of the traffic that a copy can carry."""
    return metadata.number(deployment, SHARE, 0)


def pods(deployment: Document) -> int:
    """How many pods of a copy its share needs."""
    return metadata.number(deployment, PODS, 1)


def label_value(text: str) -> str:
    """A version as the value of a label: what is not allowed there becomes an underscore, the rest is cut off."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)[:63].strip("._-") or "unnamed"


def _template(template: Mapping[str, Any], pod: Mapping[str, str], wanted: Copy) -> Document:
    spec = spread.among_its_own(template["spec"], template["metadata"].get("labels") or {}, pod, wanted.selector)
    annotations = {**(template["metadata"].get("annotations") or {})}
    if wanted.config:
        annotations[CONFIG] = wanted.config
    return {"metadata": {"labels": dict(pod), "annotations": annotations}, "spec": spec}


def _object(original: Document, wanted: Copy, spec: Mapping[str, Any]) -> Document:
    """A new object of the original's kind: of its metadata only plain labels are taken over."""
    kept = metadata.copied(original["metadata"].get("labels"))
    told = label_value(wanted.version.version)
    kept |= {key: told for key in _VERSION_LABELS if key in kept}
    return {
        "apiVersion": original["apiVersion"],
        "kind": original["kind"],
        "metadata": {
            "name": wanted.name,
            "namespace": original["metadata"]["namespace"],
            "labels": kept | marks.labels(wanted.name),
            "annotations": wanted.annotations(),
        },
        "spec": dict(spec),
    }
