"""What a subject is called in labels: the values of placeholders. Pure."""

from collections.abc import Callable, Mapping

from delivery.adapters.metrics.prometheus import promql
from delivery.adapters.metrics.prometheus.rows import Key
from delivery.adapters.metrics.prometheus.template import View
from delivery.model.ids import TargetId
from delivery.model.place import Mode, Place, destination, object_name
from delivery.model.version import Backend
from delivery.ports.metrics import Subject

Locate = Callable[[TargetId], Place]
ANYWHERE = ("backend", "cluster", "identity", "service", "version")
IN_KUBERNETES = ("host", "namespace", "object", "subset", "workload")
PLACES = (*ANYWHERE, *IN_KUBERNETES)
"""The placeholders that there are."""


def values(subject: Subject, place: Place | None) -> Mapping[str, str]:
    """What each placeholder stands for; those of Kubernetes only with a place."""
    backend, version = subject.backend, subject.backend.version
    found = {
        "backend": backend.lane(subject.lane),
        "cluster": subject.target.partition("@")[2],
        "identity": version.identity,
        "service": backend.service,
        "version": version.version,
    }
    if place is None:
        return found
    to = destination(place, backend, subject.lane)
    return found | {
        "host": to.host,
        "namespace": place.namespace,
        "object": object_name(backend),
        "subset": to.subset or "",
        "workload": workload(place, backend),
    }


def workload(place: Place, backend: Backend) -> str:
    """The Deployment that runs a version."""
    if backend.home:
        return place.deployment
    if place.mode is Mode.VERSIONED and place.candidate:
        return place.candidate.replace("{version}", backend.version.version)
    return object_name(backend)


def key(view: View, found: Mapping[str, str]) -> Key:
    """What the view's labels say of the subject."""
    return tuple(promql.filled(one.value, found) for one in view.labels)
