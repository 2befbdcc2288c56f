"""What the account that asks may do: asked of the API server, which decides, and changes nothing."""

from collections.abc import Mapping, Sequence

from delivery.adapters.kube.client import Kube
from delivery.adapters.workloads.kubernetes.reader import LOOKED_AT
from delivery.model.finding import Finding, Weight
from delivery.model.place import Isolation, Mode, Place
from delivery.ports.errors import PortError

_WRITES = ("create", "update", "patch", "delete")
_ROUTES = (("networking.istio.io", "virtualservices", ("get", "list", "watch", "update")),)
_SUBSETS = (("networking.istio.io", "destinationrules", ("get", "list", *_WRITES)),)
_COPIES = (
    ("apps", "deployments", ("get", "list", *_WRITES)),
    ("autoscaling", "horizontalpodautoscalers", ("get", "list", *_WRITES)),
    ("policy", "poddisruptionbudgets", ("get", "list", "create", "delete")),
    ("", "services", ("get", "list", "create", "delete")),
)
_LOOKS = (("apps", "deployments", ("get", "list")), ("", "services", ("get", "list")), ("", "pods", ("get", "list")))
_VERSIONS = (("apps", "deployments", ("update",)), ("", "services", ("create", "delete")))
_WATCHED = tuple((version.rpartition("/")[0], kind.lower()) for version, kind in LOOKED_AT)
_BY_MODE: Mapping[Mode, Sequence[tuple[str, str, tuple[str, ...]]]] = {
    Mode.OBSERVE: _LOOKS,
    Mode.VERSIONED: (*_LOOKS, *_VERSIONS, *_ROUTES),
    Mode.CLONE: (*_LOOKS, *_COPIES, *_ROUTES),
}


def findings(kube: Kube, place: Place) -> Sequence[Finding]:
    """One finding for each kind of object that this account may not do everything with that a release needs."""
    wanted = (*_BY_MODE[place.mode], *(_SUBSETS if place.isolation is Isolation.SUBSET else ()), *_tracking(place))
    missing = {}
    try:
        for group, resource, verbs in wanted:
            if lacks := [verb for verb in verbs if not _may(kube, place.namespace, group, resource, verb)]:
                missing[resource] = lacks
    except PortError as error:
        return (Finding(Weight.WARNS, f"namespace {place.namespace}", f"rights could not be asked for: {error}"),)
    text = "this account may not {}: a worker with it could not release; see docs/workloads.md and docs/istio.md"
    found = [
        Finding(Weight.WARNS, f"{resource} in {place.namespace}", text.format(", ".join(verbs)))
        for resource, verbs in missing.items()
    ]
    return [*found, *_unwatched(kube, place)]


def _tracking(place: Place) -> Sequence[tuple[str, str, tuple[str, ...]]]:
    """A version has copies of what is tracked."""
    kinds = sorted({reference.partition("/")[0] for reference in place.track})
    verbs = ("get", "create", "delete") if place.mode is Mode.CLONE else ("get",)
    return [("", f"{kind}s", verbs) for kind in kinds]


def _unwatched(kube: Kube, place: Place) -> Sequence[Finding]:
    """What works without, at a price."""
    try:
        lacks = [f"{kind}s" for group, kind in _WATCHED if not _may(kube, place.namespace, group, f"{kind}s", "watch")]
    except PortError:
        return ()
    if not lacks:
        return ()
    text = f"this account may not watch {', '.join(lacks)}: each look at a release that waits asks the API server"
    return [Finding(Weight.SAYS, f"namespace {place.namespace}", text)]


def _may(kube: Kube, namespace: str, group: str, resource: str, verb: str) -> bool:
    asked = {"namespace": namespace, "group": group, "resource": resource, "verb": verb}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "metadata": {},
        "spec": {"resourceAttributes": asked},
    }
    return bool(kube.create(review)["status"]["allowed"])
