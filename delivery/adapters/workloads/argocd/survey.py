"""What Argo CD would do to a release: read off the Applications that manage the objects that it edits. Reads only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from delivery.adapters.kube.client import Absent, Kube
from delivery.adapters.kube.objects import ISTIO, Document, path
from delivery.adapters.workloads.argocd.application import API
from delivery.model.finding import Finding, Weight
from delivery.model.place import Mode, Place
from delivery.ports.errors import PortError

TRACKING = ("argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance")
RESPECT, ONLY_CHANGED, REPLACE = "RespectIgnoreDifferences", "ApplyOutOfSyncOnly", "Replace"
HTTP = "/spec/http"
_SELF_HEAL = "self-heal sets its HTTP routes back to git within seconds of every shift"
_SYNC = "its next sync sets its HTTP routes back to git, in the middle of a release too"


def read(kube: Kube, edited: Sequence[Document]) -> tuple[list[Document], list[Finding]]:
    """All Applications of this cluster; and what is to be said where they cannot be read and something is tracked."""
    tracked = [one for one in edited if tracked_by(one)]
    try:
        return list(kube.get(path(API, "Application"))["items"]), []
    except Absent:
        why = "there is no Argo CD in this cluster"
    except PortError as error:
        why = str(error)
    text = "Argo CD manages it ({}) and its Application could not be read: {}. {}"
    return [], [
        Finding(Weight.WARNS, name_of(one), text.format(tracked_by(one), why, "See docs/argocd.md")) for one in tracked
    ]


def findings(applications: Sequence[Document], edited: Sequence[Document], place: Place) -> Iterator[Finding]:
    """What stands between the Applications and a release that edits these VirtualServices."""
    for one in edited:
        for application in managing(applications, ISTIO, one["kind"], one["metadata"]):
            yield from _route(application, one)
    for application in applications:
        yield from _others(application, place)


def managing(
    applications: Iterable[Document], version: str, kind: str, metadata: Mapping[str, Any]
) -> Iterator[Document]:
    """The Applications that have an object."""
    wanted = (version.partition("/")[0], kind, metadata.get("namespace"), metadata["name"])
    for application in applications:
        if any(_identity(one) == wanted for one in _resources(application)):
            yield application


def tracked_by(document: Document) -> str:
    """By which mark an object is known to Argo CD; nothing where it has none."""
    metadata = document["metadata"]
    told = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    return next((f"{key}: {told[key]}" for key in TRACKING if key in told), "")


def self_heals(application: Document) -> bool:
    automated = _automated(application)
    return automated is not None and bool(automated.get("selfHeal"))


def name_of(document: Document) -> str:
    return f"{document['kind']} {document['metadata'].get('namespace')}/{document['metadata']['name']}"


def _route(application: Document, found: Document) -> Iterator[Finding]:
    """Nothing less than the whole list can be ignored: at a sync Argo CD takes an array of a custom resource whole."""
    subject, who = name_of(found), _who(application)
    parts = _ignored(application, found)
    options = _options(application)
    if options.get(REPLACE) == "true":
        text = f"{who} replaces objects (Replace=true): every sync removes the release's routes and its mark"
        yield Finding(Weight.BLOCKS, subject, f"{text}; take the option out for it")
    if HTTP not in parts and "/spec" not in parts:
        weight = Weight.BLOCKS if self_heals(application) else Weight.LEAKS
        told = f"; it ignores only {', '.join(sorted(parts))}, which is not enough" if parts else ""
        effect = _SELF_HEAL if self_heals(application) else _SYNC
        yield Finding(weight, subject, f"{who} manages it: {effect}{told}", _ignore(application, found))
    elif options.get(RESPECT) != "true":
        text = f"{who} ignores its HTTP routes when it compares, and overwrites them at every sync all the same"
        yield Finding(Weight.LEAKS, subject, text, _ignore(application, found))
    elif options.get(ONLY_CHANGED) != "true":
        text = f"{who} writes it at every sync, also where only something else changed: a shift may meet a conflict"
        yield Finding(Weight.WARNS, subject, text, _ignore(application, found))
    else:
        text = f"{who} leaves its HTTP routes to releases: edits of them in git no longer apply"
        yield Finding(Weight.SAYS, subject, f"{text}; a delegate outside git would keep the two apart")


def _others(application: Document, place: Place) -> Iterator[Finding]:
    """Its other objects that a release has a hand on."""
    automated = _automated(application) or {}
    for one in _resources(application):
        if one.get("namespace") != place.namespace:
            continue
        subject = f"{one['kind']} {place.namespace}/{one['name']}"
        if place.keep_capacity and one["kind"] == "HorizontalPodAutoscaler" and self_heals(application):
            document = {"kind": one["kind"], "metadata": {"name": one["name"], "namespace": place.namespace}}
            if "/spec/minReplicas" not in _ignored(application, document, one.get("group", "")):
                text = f"{_who(application)} sets its minReplicas back, which a release keeps up for a revert"
                entry = _entry("autoscaling", "HorizontalPodAutoscaler", one["name"], "/spec/minReplicas")
                yield Finding(Weight.WARNS, subject, text, _yaml({"spec": {"ignoreDifferences": [entry]}}))
        versioned = place.mode is Mode.VERSIONED and one["kind"] == "Deployment"
        if versioned and automated.get("prune") and _is_version(place, one["name"]):
            text = f"{_who(application)} prunes: a version that leaves git while users are on it is gone at once"
            yield Finding(Weight.WARNS, subject, f"{text}; take versions out of git when their window is over")


def _is_version(place: Place, name: str) -> bool:
    before, _, after = (place.candidate or "").partition("{version}")
    return name.startswith(before) and name.endswith(after)


def _ignored(application: Document, found: Document, group: str = "networking.istio.io") -> set[str]:
    """What of an object is ignored, as JSON pointers; paths of jq as they are written, but for plain ones."""
    metadata = found["metadata"]
    parts: set[str] = set()
    for one in application["spec"].get("ignoreDifferences") or ():
        fits = (
            one.get("group", "") in (group, "*")
            and one.get("kind") in (found["kind"], "*")
            and one.get("name") in (None, "", metadata["name"])
            and one.get("namespace") in (None, "", metadata.get("namespace"))
        )
        if fits:
            parts |= set(one.get("jsonPointers") or ())
            parts |= {_pointer(expression) for expression in one.get("jqPathExpressions") or ()}
    return parts


def _pointer(expression: str) -> str:
    plain = expression.removeprefix(".").removesuffix("[]")
    return "/" + plain.replace(".", "/") if plain.replace(".", "").isalnum() else expression


def _ignore(application: Document, found: Document) -> str:
    """What to add to the Application."""
    metadata = application["metadata"]
    entry = _entry("networking.istio.io", found["kind"], found["metadata"]["name"], HTTP)
    spec = {
        "ignoreDifferences": [entry],
        "syncPolicy": {"syncOptions": [f"{RESPECT}=true", f"{ONLY_CHANGED}=true"]},
    }
    head = {"apiVersion": API, "kind": "Application", "metadata": {key: metadata[key] for key in ("name", "namespace")}}
    return f"# add to the Application, or use a delegate (docs/argocd.md)\n{_yaml({**head, 'spec': spec})}"


def _entry(group: str, kind: str, name: str, pointer: str) -> Document:
    return {"group": group, "kind": kind, "name": name, "jsonPointers": [pointer]}


def _automated(application: Document) -> Mapping[str, Any] | None:
    """Its automated sync; None where people press the button."""
    found: Mapping[str, Any] | None = (application["spec"].get("syncPolicy") or {}).get("automated")
    return None if found is None or found.get("enabled") is False else found


def _options(application: Document) -> Mapping[str, str]:
    given = (application["spec"].get("syncPolicy") or {}).get("syncOptions") or ()
    pairs = [str(one).partition("=") for one in given]
    return {name: value for name, _, value in pairs}


def _resources(application: Document) -> Sequence[Mapping[str, Any]]:
    return (application.get("status") or {}).get("resources") or ()


def _identity(one: Mapping[str, Any]) -> tuple[object, ...]:
    return one.get("group", ""), one.get("kind"), one.get("namespace"), one.get("name")


def _who(application: Document) -> str:
    return f"Application {application['metadata']['namespace']}/{application['metadata']['name']} of Argo CD"


def _yaml(document: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(document, sort_keys=False))
