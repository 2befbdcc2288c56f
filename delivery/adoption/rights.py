"""What the account that asks may do: asked of the API server, which decides, and changes nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from delivery.adapters.kube.client import Kube
from delivery.adapters.mesh.istio import guards
from delivery.adapters.workloads.kubernetes.reader import LOOKED_AT
from delivery.model.finding import Finding, Weight
from delivery.model.ids import target_id
from delivery.model.place import Isolation, Mode, Place
from delivery.model.plan import Plan
from delivery.model.version import Backend, VersionRef
from delivery.ports.errors import PortError
from delivery.ports.mesh import Route

Right = tuple[str, str, tuple[str, ...]]
"""API group, resource, verbs."""
_ISTIO, _SECURITY = "networking.istio.io", "security.istio.io"
_WRITES = ("create", "update", "patch", "delete")
_OWN = ("get", "create", "update", "delete")
_CLUSTERWIDE: Sequence[Right] = ((_ISTIO, "virtualservices", ("list", "watch")), ("", "namespaces", ("get",)))
"""In the whole cluster: one watch sees every route."""
_ROUTES: Sequence[Right] = (
    (_ISTIO, "virtualservices", ("get", "list", "update")),
    ("", "services", ("get", "create", "patch", "delete")),
    ("discovery.k8s.io", "endpointslices", ("list",)),
)
_SUBSETS: Sequence[Right] = ((_ISTIO, "destinationrules", ("get", "list", "create", "update", "delete")),)
_COPIES: Sequence[Right] = (
    ("apps", "deployments", ("get", "list", *_WRITES)),
    ("autoscaling", "horizontalpodautoscalers", ("get", "list", *_WRITES)),
    ("policy", "poddisruptionbudgets", ("get", "list", "create", "patch", "delete")),
    ("", "services", ("get", "list", "create", "patch", "delete")),
)
_LOOKS: Sequence[Right] = (
    ("apps", "deployments", ("get", "list")),
    ("apps", "replicasets", ("get", "list")),
    ("", "services", ("get", "list")),
    ("", "pods", ("get", "list")),
)
_VERSIONS: Sequence[Right] = (("apps", "deployments", ("update",)), ("", "services", ("create", "patch", "delete")))
_WATCHED = tuple((version.rpartition("/")[0], f"{kind.lower()}s") for version, kind in LOOKED_AT)
_BY_MODE: Mapping[Mode, Sequence[Right]] = {
    Mode.OBSERVE: _LOOKS,
    Mode.VERSIONED: (*_LOOKS, *_VERSIONS, *_ROUTES),
    Mode.CLONE: (*_LOOKS, *_COPIES, *_ROUTES),
}
_BESIDE: Mapping[str, Right] = {
    guards.HOST: (_ISTIO, "destinationrules", _OWN),
    guards.LIMIT: (_ISTIO, "envoyfilters", _OWN),
    guards.TOKEN: (_SECURITY, "requestauthentications", _OWN),
    guards.DENIAL: (_SECURITY, "authorizationpolicies", _OWN),
}
"""What limits the candidate, by kind."""
_JOBS: Sequence[Right] = (("batch", "cronjobs", ("get",)), ("batch", "jobs", ("get", "create")))
"""What hooks that are Jobs need besides."""
_TAGS: Sequence[Right] = (("telemetry.istio.io", "telemetries", ("get", "list", "create", "update", "delete")),)
_NEEDED = "this account may not {}: a worker with it could not release; see docs/workloads.md and docs/istio.md"
_ASKED = (
    "this account may not {}: where the server's configuration says `trace_tags`, spans would not tell the release; "
    "see docs/istio.md"
)


def findings(kube: Kube, place: Place, plan: Plan) -> Sequence[Finding]:
    """One finding for each kind of object that this account may not do everything with that a release by this plan
    needs. What only trace tags or watching need is said, and stops nothing."""
    try:
        found = list(_lacking(kube, place.namespace, needed(place, plan), _NEEDED, Weight.WARNS))
        if place.mode is not Mode.OBSERVE:
            found += _lacking(kube, "", _CLUSTERWIDE, _NEEDED, Weight.WARNS)
            found += _lacking(kube, place.namespace, _TAGS, _ASKED, Weight.SAYS)
        unwatched = _unwatched(kube, place)
    except PortError as error:
        return (Finding(Weight.WARNS, f"namespace {place.namespace}", f"rights could not be asked for: {error}"),)
    return [*found, *unwatched]


def needed(place: Place, plan: Plan) -> tuple[Right, ...]:
    """In the namespace, each resource once."""
    subsets = _SUBSETS if place.isolation is Isolation.SUBSET and place.mode is not Mode.OBSERVE else ()
    copies = _COPIES if place.mode is Mode.VERSIONED and _compared(plan) else ()
    limits = () if place.mode is Mode.OBSERVE else tuple(_BESIDE[kind] for kind in sorted(_limits(plan)))
    jobs = _JOBS if any(hook.kind == "job" for hook in plan.hooks) else ()
    verbs: dict[tuple[str, str], dict[str, None]] = {}
    for group, resource, wanted in (*_BY_MODE[place.mode], *copies, *subsets, *limits, *_tracking(place), *jobs):
        verbs.setdefault((group, resource), {}).update(dict.fromkeys(wanted))
    return tuple((group, resource, tuple(wanted)) for (group, resource), wanted in verbs.items())


def _compared(plan: Plan) -> bool:
    """Whether a copy of stable is made, to compare with."""
    return any(stage.traffic.baseline is not None for stage in plan.stages)


def _tracking(place: Place) -> Sequence[Right]:
    """A version has copies of what is tracked."""
    kinds = sorted({reference.partition("/")[0] for reference in place.track})
    verbs = ("get", "create", "patch", "delete") if place.mode is Mode.CLONE else ("get",)
    return [("", f"{kind}s", verbs) for kind in kinds]


def _unwatched(kube: Kube, place: Place) -> Sequence[Finding]:
    """What works without, at a price."""
    lacks = [resource for group, resource in _WATCHED if not _may(kube, place.namespace, group, resource, "watch")]
    if not lacks:
        return ()
    text = f"this account may not watch {', '.join(lacks)}: each look at a release that waits asks the API server"
    return [Finding(Weight.SAYS, f"namespace {place.namespace}", text)]


def _limits(plan: Plan) -> frozenset[str]:
    """The kinds of objects that stages put beside the routes, in whichever stage."""
    candidate = Backend("any", VersionRef.of("any"))
    routes = [Route(target_id("any", "any"), "any", None, candidate, stage.traffic) for stage in plan.stages]
    return frozenset(kind for route in routes for kind in guards.kinds(route))


def _lacking(kube: Kube, namespace: str, wanted: Iterable[Right], text: str, weight: Weight) -> Iterator[Finding]:
    for group, resource, verbs in wanted:
        if lacks := [verb for verb in verbs if not _may(kube, namespace, group, resource, verb)]:
            where = namespace or "the whole cluster"
            yield Finding(weight, f"{resource} in {where}", text.format(", ".join(lacks)))


def _may(kube: Kube, namespace: str, group: str, resource: str, verb: str) -> bool:
    """No `namespace`: in all of them."""
    asked = {"namespace": namespace, "group": group, "resource": resource, "verb": verb}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "metadata": {},
        "spec": {"resourceAttributes": asked},
    }
    return bool(kube.create(review)["status"]["allowed"])
