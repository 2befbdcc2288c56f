"""Which version users reach where each has a Deployment of its own: what a stranger's cluster is adopted with."""

import re

from delivery.adapters.kube import images, labels, marks
from delivery.adapters.kube.api import Api
from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.kubernetes import identity
from delivery.adapters.workloads.kubernetes.reader import Reader
from delivery.adapters.workloads.kubernetes.versioned import names, pattern
from delivery.model.place import Place
from delivery.model.version import VersionRef
from delivery.ports.errors import Refused


def serving(kube: Api, place: Place, candidate: VersionRef | None) -> VersionRef | None:
    """The one version, beside the candidate, whose pods the Service that users call selects; None where there is none.

    Raises Refused where there are several: which of them is stable is not for us to guess.
    """
    reader = Reader(kube, place.namespace)
    selector = reader.users(place)["spec"].get("selector")
    ignored = names(place, candidate.version) if candidate is not None else []
    found = [
        deployment
        for deployment in reader.all("apps/v1", "Deployment")
        if _is_version(deployment, place)
        and deployment["metadata"]["name"] not in ignored
        and deployment["spec"].get("replicas", 1) > 0
        and labels.service_selects(selector, deployment["spec"]["template"]["metadata"].get("labels") or {})
    ]
    if len(found) > 1:
        several = ", ".join(sorted(one["metadata"]["name"] for one in found))
        raise Refused(
            f"Service {place.namespace}/{place.service} sends users to several Deployments, {several}: scale down "
            f"those that are not stable, then release again"
        )
    return _version(reader, found[0], place) if found else None


def _is_version(deployment: Document, place: Place) -> bool:
    """Whether it is a version's own: a copy that a release has made is no version that users are on."""
    ours = marks.BACKEND in (deployment["metadata"].get("labels") or {})
    return not ours and _called(deployment, place) is not None


def _called(deployment: Document, place: Place) -> str | None:
    """The version as the Deployment's name tells it."""
    before, _, after = pattern(place).partition("{version}")
    match = re.fullmatch(f"{re.escape(before)}(.+){re.escape(after)}", deployment["metadata"]["name"])
    return match.group(1) if match else None


def _version(reader: Reader, deployment: Document, place: Place) -> VersionRef:
    """By its image; under the label that its name can be made of again."""
    known = (place.deployment, place.service)
    container = images.container(deployment["spec"]["template"], known)
    pods = () if images.digest(container["image"]) else reader.newest_pods(deployment)
    found = identity.running(deployment, pods, known, lambda: reader.tracked(place))
    if deployment["metadata"]["name"] in names(place, found.version):
        return found
    return VersionRef(_called(deployment, place) or found.version, found.identity, found.image)
