"""Every path to a service, and what of it a release would not govern. Reads only; the judging is pure."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from delivery.adapters.kube.client import Absent, Kube
from delivery.adapters.kube.objects import ISTIO, Document, path
from delivery.adapters.mesh.istio import document, hosts, joined, stamps, targets
from delivery.model.finding import Finding, Weight
from delivery.model.ids import ReleaseId, target_id
from delivery.model.place import Isolation, Place, host
from delivery.model.traffic import Traffic
from delivery.model.version import Backend
from delivery.ports.errors import Refused
from delivery.ports.mesh import Route, Stamp

MESH = "mesh"
_SERVERS_OWN = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink")


@dataclass(frozen=True, slots=True)
class Paths:
    """What leads to a service, in the whole cluster."""

    routes: tuple[Document, ...]
    rules: tuple[Document, ...]
    sidecars: tuple[Document, ...] = ()


def read(kube: Kube) -> Paths:
    """Raises Refused without the right to read them in all namespaces, and where there is no Istio."""
    return Paths(*(tuple(_all(kube, kind)) for kind in (targets.KIND, "DestinationRule", "Sidecar")))


def chosen(paths: Paths, service: str, place: Place) -> list[Document]:
    """The VirtualServices that a release would edit."""
    beside = [one for one in paths.routes if one["metadata"].get("namespace") == place.namespace]
    return targets.select(beside, place, service)


def findings(paths: Paths, service: str, place: Place) -> tuple[Finding, ...]:
    """What a release would not govern, what it could not edit, and what people should know."""
    edited = chosen(paths, service, place)
    return (
        *_missing(edited, place),
        *_foreign(paths, edited, place),
        *_callers(edited, place),
        *joined.findings(paths.routes, edited, service, place),
        *_streams(paths, place),
        *_rules(paths, place),
        *_scopes(paths, place),
        *_notes(edited, service),
    )


def trial(edited: Sequence[Document], place: Place, pair: tuple[Backend, Backend], traffic: Traffic) -> list[Document]:
    """The documents as the first stage would leave them. Raises Refused where they cannot carry it."""
    service = pair[0].service
    release = ReleaseId("rel_FIRST")
    copy = Backend(service, pair[0].version.copy_for(release)) if traffic.baseline is not None else None
    route = Route(target_id(service, "survey"), service, *pair, traffic, tag="1", copy=copy)
    written = document.stamped(edited, route, place, Stamp(1, release, 1, 1, "HEAD"))
    return [document.edit(one, route, place, written, "SECRET") for one in edited]


def difference(before: Document, after: Document) -> str:
    """A unified diff of two VirtualServices as YAML; nothing of what the server adds."""
    name = f"{before['metadata']['namespace']}/{before['metadata']['name']}"
    lines = difflib.unified_diff(
        as_yaml(before).splitlines(),
        as_yaml(after).splitlines(),
        f"{name} now",
        f"{name} in the first stage",
        "",
        "",
        3,
        "",
    )
    return "\n".join(lines)


def as_yaml(found: Mapping[str, Any]) -> str:
    """As people would write it."""
    metadata = {key: value for key, value in found["metadata"].items() if key not in _SERVERS_OWN}
    shown = {"apiVersion": found.get("apiVersion", ISTIO), "kind": found.get("kind", targets.KIND)}
    shown |= {"metadata": metadata, "spec": found.get("spec", {})}
    return str(yaml.safe_dump(shown, sort_keys=False))


def _missing(edited: Sequence[Document], place: Place) -> Iterator[Finding]:
    if edited:
        return
    where = host(place, place.service)
    remedy = {
        "apiVersion": ISTIO,
        "kind": targets.KIND,
        "metadata": {"name": place.service, "namespace": place.namespace},
        "spec": {
            "hosts": [where],
            "http": [{"name": "primary", "route": [{"destination": {"host": where}}]}],
        },
    }
    text = f"no VirtualService of namespace {place.namespace} has an HTTP route to {where}: nothing could be split"
    yield Finding(Weight.BLOCKS, f"Service {place.namespace}/{place.service}", text, as_yaml(remedy))


def _foreign(paths: Paths, edited: Sequence[Document], place: Place) -> Iterator[Finding]:
    ours = {_name(one) for one in edited}
    where = host(place, place.service)
    for one in paths.routes:
        if joined.is_bare(one, place):
            continue
        if _name(one) not in ours and where in _hosts(document.named(one)):
            text = f"it leads to {where} too and is not among the routes of the release: its callers stay on stable"
            yield Finding(Weight.WARNS, _name(one), f"{text}; name it in `routes` if they should not")
        elif _name(one) not in ours and _short(one, place):
            text = f"it names {place.service}.{place.namespace}, which Istio does not expand: its callers get 503"
            yield Finding(Weight.WARNS, _name(one), f"{text}; write {where}")


def _callers(edited: Sequence[Document], place: Place) -> Iterator[Finding]:
    by_gateway: dict[str, list[str]] = {}
    for one in edited:
        for gateway in (one.get("spec") or {}).get("gateways") or [MESH]:
            by_gateway.setdefault(gateway, []).append(_name(one))
    inside = by_gateway.get(MESH, [])
    if edited and not inside and place.isolation is Isolation.SERVICE:
        text = "no route of it is for the mesh: callers inside the cluster read no rule and stay on stable"
        yield Finding(Weight.SAYS, f"Service {place.namespace}/{place.service}", text)
    if len(inside) > 1:
        text = f"{' and '.join(inside)} are for the mesh and one host: sidecars take one of them and drop the other"
        yield Finding(Weight.LEAKS, inside[0], f"{text}; make them one")


def _streams(paths: Paths, place: Place) -> Iterator[Finding]:
    where = host(place, place.service)
    for one in paths.routes:
        for kind in ("tcp", "tls"):
            if where in _hosts(document.named({**one, "spec": {kind: (one.get("spec") or {}).get(kind)}})):
                text = f"a {kind} route leads to {where}: connections are not split by request"
                stay = "" if joined.is_bare(one, place) else "; its callers stay on stable"
                yield Finding(Weight.LEAKS, _name(one), f"{text}{stay}")


def _rules(paths: Paths, place: Place) -> Iterator[Finding]:
    where = host(place, place.service)
    for one in paths.rules:
        spec, namespace = one.get("spec") or {}, one["metadata"].get("namespace", "")
        if hosts.resolve(str(spec.get("host", "")), namespace) != where:
            continue
        subject = f"DestinationRule {namespace}/{one['metadata']['name']}"
        if namespace != place.namespace and place.isolation is Isolation.SUBSET:
            text = f"callers in {namespace} look there first and do not find our subsets: they would get 503"
            yield Finding(Weight.BLOCKS, subject, f"{text}; move it to {place.namespace}, or use isolation: service")
        elif spec.get("trafficPolicy") and place.isolation is Isolation.SERVICE:
            kept = ", ".join(sorted(spec["trafficPolicy"]))
            text = f"its traffic policy ({kept}) is for stable's host alone: the candidate has a host of its own"
            yield Finding(Weight.WARNS, subject, f"{text}; give the same as `traffic_policy` of the service file")


def _scopes(paths: Paths, place: Place) -> Iterator[Finding]:
    for one in paths.sidecars:
        for egress in (one.get("spec") or {}).get("egress") or ():
            named = [str(name).partition("/")[2] for name in egress.get("hosts") or ()]
            if host(place, place.service) in named:
                subject = f"Sidecar {one['metadata'].get('namespace')}/{one['metadata']['name']}"
                text = "its callers see only named hosts: they would not know the candidate's and get 503"
                yield Finding(Weight.LEAKS, subject, f"{text}; write {place.namespace}/* there")


def _notes(edited: Sequence[Document], service: str) -> Iterator[Finding]:
    if (reason := targets.paused(edited)) is not None:
        yield Finding(Weight.BLOCKS, _name(edited[0]), f"nothing is written: {reason}")
    for one in edited:
        if others := sorted(stamps.services(one) - {service}):
            yield Finding(Weight.SAYS, _name(one), f"it carries releases of {', '.join(others)} already")


def _short(found: Document, place: Place) -> bool:
    """Whether it names the service with one dot."""
    return f"{place.service}.{place.namespace}" in _hosts(document.named(found))


def _hosts(named: Iterable[str]) -> frozenset[str]:
    return frozenset(one.partition("|")[0] for one in named)


def _all(kube: Kube, kind: str) -> list[Document]:
    try:
        return list(kube.get(path(ISTIO, kind))["items"])
    except Absent:
        raise Refused("this cluster has no Istio: there is no kind VirtualService") from None


def _name(found: Document) -> str:
    return f"{targets.KIND} {found['metadata'].get('namespace')}/{found['metadata']['name']}"
