"""The parameter by which an Application is told which image to run: set, taken back, and told apart. Pure."""

import copy
import json
from collections.abc import Mapping
from typing import Any

from delivery.adapters.kube import images, marks
from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.told import note_in, told
from delivery.model.place import Parameter
from delivery.model.version import VersionRef
from delivery.ports.errors import Refused

CLAIM = f"{marks.PREFIX}decided-by"
"""Annotation of the Application: release and event that had it written last."""
NOTE = f"{marks.PREFIX}parameter"
"""Annotation of the Application: what we set it to, and how often."""
TRIES = 3  # of one value: who sets it back wins after that
Source = dict[str, Any]


def value_of(version: VersionRef, parameter: Parameter) -> str:
    """What the parameter has to be for this version. Raises Refused where its image does not say that."""
    found = told(version, parameter.value, parameter.name)
    return f"{parameter.name}={found}" if parameter.kustomize else found


def current(application: Document, parameter: Parameter) -> str | None:
    """What it is set to; None where the Application does not set it: then git says it."""
    found = _entries(_source(application, parameter), parameter)
    index = _index(found, parameter)
    if index is None:
        return None
    return str(found[index]) if parameter.kustomize else str(found[index].get("value", ""))


def with_value(application: Document, parameter: Parameter, value: str) -> Document:
    """The Application with the parameter set; all else is its owners'."""
    changed = copy.deepcopy(application)
    if current(application, parameter) == value:
        return changed
    source = _source(changed, parameter)
    entries = [*_entries(source, parameter)]
    # A tag such as 1.10 is a text: as a number it would become 1.1.
    made = value if parameter.kustomize else {"name": parameter.name, "value": value, "forceString": True}
    index = _index(entries, parameter)
    if index is None:
        entries.append(made)
    else:
        entries[index] = made
    section, key = ("kustomize", "images") if parameter.kustomize else ("helm", "parameters")
    source[section] = {**(source.get(section) or {}), key: entries}
    return changed


def noted(application: Document) -> Mapping[str, Any]:
    """What we noted; empty where we have changed nothing."""
    return note_in(_annotations(application).get(NOTE))


def is_claimed(application: Document, token: str) -> bool:
    """Whether this decision was the last to write it: then no older one that comes late can."""
    return not token or _annotations(application).get(CLAIM) == token


def marked(application: Document, token: str, note: Mapping[str, Any]) -> Document:
    """The Application with the token of the decision and the note on it."""
    changed = copy.deepcopy(application)
    told = {**_annotations(changed), CLAIM: token, NOTE: json.dumps(note, sort_keys=True)}
    changed["metadata"]["annotations"] = told
    return changed


def asked_for(application: Document) -> tuple[object, ...]:
    """What is asked of it, apart from how it is: the status of an Application is part of the object."""
    return application["spec"], _annotations(application).get(CLAIM), application.get("operation")


def _source(application: Document, parameter: Parameter) -> Source:
    """The one of its sources that has the parameter; of several without it the only one of that kind."""
    spec = application["spec"]
    if spec.get("source"):
        found: Source = spec["source"]
        return found
    sources: list[Source] = spec.get("sources") or []
    having = [one for one in sources if _index(_entries(one, parameter), parameter) is not None]
    section = "kustomize" if parameter.kustomize else "helm"
    like = [one for one in sources if section in one or (section == "helm" and "chart" in one)]
    for candidates in (having, like, sources):
        if len(candidates) == 1:
            return candidates[0]
    name = f"Application {application['metadata']['namespace']}/{application['metadata']['name']}"
    raise Refused(f"{name} has {len(sources)} sources: set {parameter.name} in the one that is meant, then it is found")


def _entries(source: Source, parameter: Parameter) -> list[Any]:
    section, key = ("kustomize", "images") if parameter.kustomize else ("helm", "parameters")
    found: list[Any] = (source.get(section) or {}).get(key) or []
    return found


def _index(entries: list[Any], parameter: Parameter) -> int | None:
    for number, one in enumerate(entries):
        name = _image_name(str(one)) if parameter.kustomize else one.get("name")
        if name == parameter.name:
            return number
    return None


def _image_name(entry: str) -> str:
    """`OLD=NEW`, `NAME:TAG` or `NAME@DIGEST`: the name that manifests have."""
    old, separator, _ = entry.partition("=")
    return old if separator else images.bare(entry)


def _annotations(application: Document) -> Mapping[str, str]:
    return application["metadata"].get("annotations") or {}
