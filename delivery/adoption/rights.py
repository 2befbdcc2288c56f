"""What the account that asks may do: asked of the API server, which decides, and changes nothing."""

from collections.abc import Mapping, Sequence

from delivery.adapters.kube.client import Kube
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
_BY_MODE: Mapping[Mode, Sequence[tuple[str, str, tuple[str, ...]]]] = {
    Mode.OBSERVE: _LOOKS,
    Mode.VERSIONED: (*_LOOKS, *_VERSIONS, *_ROUTES),
    Mode.CLONE: (*_LOOKS, *_COPIES, *_ROUTES),
}


def findings(kube: Kube, place: Place) -> Sequence[Finding]:
    """One finding for each kind of object that this account may not do everything with that a release needs."""
    wanted = (*_BY_MODE[place.mode], *(_SUBSETS if place.isolation is Isolation.SUBSET else ()))
    missing = {}
    try:
        for group, resource, verbs in wanted:
            if lacks := [verb for verb in verbs if not _may(kube, place.namespace, group, resource, verb)]:
                missing[resource] = lacks
    except PortError as error:
        return (Finding(Weight.WARNS, f"namespace {place.namespace}", f"rights could not be asked for: {error}"),)
    text = "this account may not {}: a worker with it could not release; see docs/workloads.md and docs/istio.md"
    return [
        Finding(Weight.WARNS, f"{resource} in {place.namespace}", text.format(", ".join(verbs)))
        for resource, verbs in missing.items()
    ]


def _may(kube: Kube, namespace: str, group: str, resource: str, verb: str) -> bool:
    asked = {"namespace": namespace, "group": group, "resource": resource, "verb": verb}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "metadata": {},
        "spec": {"resourceAttributes": asked},
    }
    return bool(kube.create(review)["status"]["allowed"])
