"""Where a Deployment lives, as a service file says it: namespace, workload, routes, configuration, promotion."""

from typing import Final

from delivery.model.fields import Fields
from delivery.model.place import Isolation, Mode, Parameter, Place, Promotion, RouteRef, Told
from delivery.model.scalars import name, pattern, text

FIELDS: Final = ("service", "mode", "isolation", "candidate", "keep_stable_capacity", "port")
"""Those of a workload, beside `deployment`."""
_SUBDOMAIN = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_OBJECT = pattern(_SUBDOMAIN, "the name of an object in Kubernetes, such as checkout")
_BY_VERSION = pattern(r"[a-z0-9.-]*\{version\}[a-z0-9.-]*", 'a name with the version in it: "checkout-{version}"')
_ENTRY = pattern(f"(?:configmap|secret)/{_SUBDOMAIN}", "configmap/NAME or secret/NAME, in the service's namespace")
_PARAMETER = pattern(r"[A-Za-z0-9._\[\]\\/-]{1,200}", "the name of a Helm parameter, such as image.tag")
_IMAGE = pattern(r"[a-z0-9][a-z0-9._:/-]{0,254}", "the name of an image without a tag, as kustomize knows it")


def read_place(whole: Fields, workload: Fields, namespace: Fields, routes: Fields) -> Place:
    """The place; mistakes stay in the fields. `namespace` and `routes` are the mappings that have these keys."""
    deployment = workload.get("deployment", _OBJECT)
    mode = workload.choice("mode", Mode, Mode.CLONE)
    config = whole.sub("config")
    track, share = (config.many(key, _ENTRY, ()) for key in ("track", "share"))
    for index, entry in enumerate(share):
        if entry in track:
            config.wrong("share", f"has {entry}, which is tracked too", "each in one of the two lists", index=index)
    promotion = whole.sub("promotion")
    via = promotion.choice("via", Promotion, Promotion.PATCH)
    return Place(
        namespace=namespace.name("namespace"),
        deployment=deployment,
        service=_service(workload, deployment),
        mode=mode,
        isolation=workload.choice("isolation", Isolation, Isolation.SERVICE),
        candidate=_candidate(workload, mode),
        routes=_routes(routes),
        port=workload.whole("port", None, low=1, high=65535),
        keep_capacity=workload.flag("keep_stable_capacity", True),
        track=track,
        share=share,
        promotion=via,
        parameter=_parameter(promotion, via),
    )


def _service(workload: Fields, deployment: str) -> str:
    service = workload.name("service", None)
    if service is not None:
        return service
    if deployment and name().read(deployment) is None:
        problem = f"is missing, and no Service can have its Deployment's name, {deployment}"
        workload.wrong("service", problem, name().expected)
    return deployment


def _candidate(workload: Fields, mode: Mode) -> str | None:
    if mode is Mode.VERSIONED:
        return workload.get("candidate", _BY_VERSION)
    workload.refuse(["candidate"], "names each version's own Deployment; expected mode: versioned with it")
    return None


def _parameter(fields: Fields, via: Promotion) -> Parameter | None:
    if via is not Promotion.ARGOCD:
        fields.refuse(["application", "parameter", "image", "value"], "is for via: argocd alone")
        return None
    application = fields.get("application", _OBJECT)
    if "image" in fields:
        fields.refuse(["parameter", "value"], "is for Helm, and image for kustomize; expected one of the two")
        return Parameter(application, fields.get("image", _IMAGE), kustomize=True, value=Told.IMAGE)
    value = fields.choice("value", Told, Told.TAG)
    return Parameter(application, fields.get("parameter", _PARAMETER), value=value)


def _routes(fields: Fields) -> tuple[RouteRef, ...]:
    if "routes" not in fields:
        return ()
    found: list[RouteRef] = []
    for item in fields.subs("routes", least=1):
        route = RouteRef(item.get("virtual_service", _OBJECT), item.many("names", text(), (), least=1))
        if any(route.virtual_service == other.virtual_service for other in found):
            item.wrong("virtual_service", f"is {route.virtual_service}, which is there already", "one entry for each")
        found.append(route)
    return tuple(found)
