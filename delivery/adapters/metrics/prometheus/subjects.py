"""What a subject is called in labels: the values of placeholders. Pure."""

from collections.abc import Callable, Iterable, Mapping

from delivery.adapters.metrics.prometheus import promql
from delivery.adapters.metrics.prometheus.rows import Key
from delivery.adapters.metrics.prometheus.template import View
from delivery.model.ids import TargetId
from delivery.model.place import Place, deployments_of, destination, object_name
from delivery.model.series import Unread, Why
from delivery.ports.metrics import Subject

Locate = Callable[[TargetId], Place]
ANYWHERE = ("backend", "cluster", "identity", "service", "version")
IN_KUBERNETES = ("host", "namespace", "object", "subset", "workload")
PLACES = (*ANYWHERE, *IN_KUBERNETES)
"""The placeholders that there are."""


def values(subject: Subject, place: Place | None) -> tuple[Mapping[str, str], ...]:
    """What each placeholder stands for; those of Kubernetes only with a place. Several where a version's Deployment may
    be called one or the other: only one of them is there."""
    backend, version = subject.backend, subject.backend.version
    found = {
        "backend": backend.lane(subject.lane),
        "cluster": subject.target.partition("@")[2],
        "identity": version.identity,
        "service": backend.service,
        "version": version.version,
    }
    if place is None:
        return (found,)
    to = destination(place, backend, subject.lane)
    found |= {
        "host": to.host,
        "namespace": place.namespace,
        "object": object_name(backend),
        "subset": to.subset or "",
    }
    return tuple({**found, "workload": name} for name in deployments_of(place, backend))


def mixed_up(subject: Subject) -> Unread | None:
    """Why nothing is told of a copy where stable and its copy cannot be counted apart; None for any other subject."""
    if not subject.backend.version.is_copy:
        return None
    text = (
        "what counts tells versions apart, but not a copy of stable from stable: count by Envoy's or Istio's own "
        "metrics or by a label of {workload} or {backend}, or compare with baseline: stable"
    )
    return Unread(Why.UNPLACED, text)


def keys(view: View, found: Iterable[Mapping[str, str]]) -> tuple[Key, ...]:
    """What the view's labels say of the subject, for each way in which it may be called."""
    told = (tuple(promql.filled(one.value, each) for one in view.labels) for each in found)
    return tuple(dict.fromkeys(told))
