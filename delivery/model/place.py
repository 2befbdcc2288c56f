"""Where a target lives in a Kubernetes cluster, and where requests for one of its versions go there. Pure.

Workloads, mesh and metrics adapters each need the names of the same objects: this is the one place that makes them.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from delivery.model.version import Backend, Lane

CLUSTER_DOMAIN = "svc.cluster.local"
_READABLE = 44  # of the 63 characters of a label; the hash and a lane follow


class Mode(StrEnum):
    """Who makes the candidate's pods."""

    CLONE = "clone"  # we do, as a copy of stable's Deployment
    VERSIONED = "versioned"  # CI or Argo CD deploys each version beside the last
    OBSERVE = "observe"  # somebody rolls out in place: we judge and report, and move nothing


class Isolation(StrEnum):
    """What keeps requests that read no rule away from the candidate."""

    SERVICE = "service"  # a Service of its own for every version
    SUBSET = "subset"  # one Service, and subsets of a DestinationRule that is ours


class Promotion(StrEnum):
    """Who makes the owners' Deployment run what a release of mode clone has promoted."""

    PATCH = "patch"  # we do
    ARGOCD = "argocd"  # Argo CD does: we set a parameter of its Application
    GIT = "git"  # whoever follows a git repository does: we commit the image there
    NONE = "none"  # people do, or their tools: we wait until it does


class Told(StrEnum):
    """What of a version's image a parameter is set to."""

    TAG = "tag"
    DIGEST = "digest"
    IMAGE = "image"
    VERSION = "version"  # the label that people read


@dataclass(frozen=True, slots=True)
class Parameter:
    """Of an Application of Argo CD, by which it is told which image to run: a Helm parameter, such as `image.tag`, or
    the name of an image that kustomize replaces."""

    application: str
    name: str
    kustomize: bool = False
    value: Told = Told.TAG


@dataclass(frozen=True, slots=True)
class RouteRef:
    """Routes of one VirtualService. No `names`: every HTTP route of it that leads to the service."""

    virtual_service: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """`service` is the Service that users call. `candidate` names a version's Deployment where `mode` is versioned:
    `checkout-{version}`. No `routes`: every VirtualService of the namespace that leads to the service.

    `keep_capacity` pins stable's replicas until the rollback window is over. `share` and `track` are ConfigMaps and
    Secrets (`configmap/checkout`): tracked ones take part in a version's identity. No `port`: the only one there is.
    `promotion` says who brings a finished clone release home; by `parameter`, where Argo CD does.
    """

    namespace: str
    deployment: str
    service: str
    mode: Mode = Mode.CLONE
    isolation: Isolation = Isolation.SERVICE
    candidate: str | None = None
    routes: tuple[RouteRef, ...] = ()
    port: int | None = None
    keep_capacity: bool = True
    track: tuple[str, ...] = ()
    share: tuple[str, ...] = ()
    promotion: Promotion = Promotion.PATCH
    parameter: Parameter | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """`host` is fully qualified: Istio does not expand a name with a single dot."""

    host: str
    subset: str | None = None


def destination(place: Place, backend: Backend, lane: Lane = Lane.PLAIN) -> Destination:
    """Where requests for a version go. Stable at home is behind the service that users call."""
    if place.isolation is Isolation.SUBSET:
        return Destination(host(place, place.service), object_name(backend, lane))
    if backend.home and lane is Lane.PLAIN:
        return Destination(host(place, place.service))
    return Destination(host(place, object_name(backend, lane)))


def deployments_of(place: Place, backend: Backend) -> tuple[str, ...]:
    """What the Deployment may be called that runs a version, one name or more. Copies are ours whoever deploys the
    versions."""
    if backend.home or place.mode is Mode.OBSERVE:
        return (place.deployment,)
    if place.mode is Mode.VERSIONED and place.candidate and not backend.version.is_copy:
        return named(place.candidate, backend.version.version)
    return (object_name(backend),)


def named(pattern: str, version: str) -> tuple[str, ...]:
    """A pattern with a version in it, in a form that Kubernetes takes: without dots, and as it is."""
    version = version.lower()
    plain = re.sub(r"[^a-z0-9]+", "-", version).strip("-")
    return tuple(dict.fromkeys(pattern.replace("{version}", text) for text in (plain, version)))


def host(place: Place, service: str) -> str:
    """The full name of a Service beside the target."""
    return f"{service}.{place.namespace}.{CLUSTER_DOMAIN}"


def object_name(backend: Backend, lane: Lane = Lane.PLAIN) -> str:
    """What our objects for a version are called, in all adapters: a DNS-1035 label such as `checkout-1-4-2-5f0c3a1e`.

    The hash tells apart builds of one label, what was cut off, and a copy from what runs at home.
    """
    home = "\nhome" if backend.home else ""
    told = f"{backend.service}\n{backend.version.identity}{home}".encode()
    readable = re.sub(r"[^a-z0-9]+", "-", f"{backend.service}-{backend.version.version}".lower())
    readable = f"v-{readable}" if readable[0].isdigit() else readable  # no Service may begin with a digit
    name = f"{readable[:_READABLE].rstrip('-')}-{hashlib.sha256(told).hexdigest()[:8]}"
    return name if lane is Lane.PLAIN else f"{name}-{lane.value}"
