"""How pods keep away from each other: a copy spreads over nodes and zones among its own pods. Pure."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from delivery.adapters.kube import labels

Labels = Mapping[str, str]


def among_its_own(spec: Mapping[str, Any], before: Labels, after: Labels, own: Labels) -> dict[str, Any]:
    """The pod's spec, in which rules about stable's own pods (`before`) that no longer fit the copy's (`after`) are
    rules about the copy's: a pod that must not share a node with its like would otherwise need one free of stable."""
    changed = copy.deepcopy(dict(spec))
    for rule in _rules(changed):
        selector = rule.get("labelSelector")
        if labels.selects(selector, before) and not labels.selects(selector, after):
            rule["labelSelector"] = {"matchLabels": dict(own)}
    return changed


def _rules(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from spec.get("topologySpreadConstraints") or ()
    affinity = spec.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(kind) or {}
        yield from terms.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        for weighted in terms.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
            yield weighted["podAffinityTerm"]
