"""Policies that mean stable's pods and would not mean the candidate's. Reads only; the judging is pure.

The candidate's pods carry other labels than stable's, so that nothing sends them requests by chance. A policy that
selects by the labels that differ would protect stable and leave the candidate open, or the other way round.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from delivery.adapters.kube import labels
from delivery.adapters.kube.client import Absent, Kube
from delivery.adapters.kube.objects import Document, path
from delivery.model.finding import Finding, Weight
from delivery.model.place import Place

ROOT = "istio-system"
_SECURITY = "security.istio.io/v1"
_KINDS: Mapping[str, tuple[str, str, str]] = {
    "AuthorizationPolicy": (_SECURITY, "selector", "who may call it"),
    "RequestAuthentication": (_SECURITY, "selector", "which tokens count"),
    "PeerAuthentication": (_SECURITY, "selector", "whether callers need mTLS"),
    "NetworkPolicy": ("networking.k8s.io/v1", "podSelector", "who may reach its pods"),
    "Telemetry": ("telemetry.istio.io/v1", "selector", "what is traced and counted"),
}
"""Kind -> API version, the field with its selector, what it decides."""


@dataclass(frozen=True, slots=True)
class Policies:
    """Of the service's namespace; `peers` also of the root namespace."""

    local: tuple[Document, ...]
    peers: tuple[Document, ...]


def read(kube: Kube, place: Place) -> Policies:
    """Kinds that the cluster does not know are left out. Raises Refused without the right to read."""
    local = [one for kind in _KINDS for one in _all(kube, kind, place.namespace)]
    return Policies(tuple(local), tuple(_all(kube, "PeerAuthentication", ROOT)))


def findings(
    policies: Policies, place: Place, stable: Mapping[str, str], candidate: Mapping[str, str]
) -> tuple[Finding, ...]:
    """`stable` and `candidate` are the labels of their pods."""
    differing = [one for one in policies.local if _selects(one, stable) != _selects(one, candidate)]
    return (*(_differs(one, stable, candidate) for one in differing), *_mutual(policies, place, stable))


def _differs(policy: Document, stable: Mapping[str, str], candidate: Mapping[str, str]) -> Finding:
    decides = _KINDS[policy["kind"]][2]
    shared = {key: value for key, value in stable.items() if candidate.get(key) == value}
    only = "stable's" if _selects(policy, stable) else "the candidate's"
    text = f"it decides {decides}, and selects {only} pods alone: the other version would run without it"
    if not shared:
        advice = "give the pod template a label that no Service selects by, and select by that"
        return Finding(Weight.LEAKS, _name(policy), f"{text}; {advice}")
    return Finding(Weight.LEAKS, _name(policy), f"{text}; select by labels that both have", _selecting(policy, shared))


def _mutual(policies: Policies, place: Place, stable: Mapping[str, str]) -> Iterator[Finding]:
    """Which mode of mTLS is in force for stable: the narrowest policy wins."""
    theirs = [one for one in policies.local if one["kind"] == "PeerAuthentication"]
    named = [one for one in theirs if one["spec"].get("selector") and _selects(one, stable)]
    general = [one for one in (*theirs, *policies.peers) if not one["spec"].get("selector")]
    for one in (*named, *general)[:1]:
        mode = (one["spec"].get("mtls") or {}).get("mode", "UNSET")
        yield Finding(Weight.SAYS, _name(one), f"mTLS is {mode} for {place.namespace}/{place.deployment}")


def _selecting(policy: Document, shared: Mapping[str, str]) -> str:
    field = _KINDS[policy["kind"]][1]
    metadata = {key: policy["metadata"][key] for key in ("name", "namespace")}
    spec: dict[str, Any] = {**policy["spec"], field: {"matchLabels": dict(shared)}}
    shown = {"apiVersion": _KINDS[policy["kind"]][0], "kind": policy["kind"], "metadata": metadata, "spec": spec}
    return str(yaml.safe_dump(shown, sort_keys=False))


def _selects(policy: Document, pod: Mapping[str, str]) -> bool:
    """No selector means every pod of the namespace. Policies for a gateway or a Service are about no pod."""
    spec = policy.get("spec") or {}
    if spec.get("targetRef") or spec.get("targetRefs"):
        return False
    return labels.selects(spec.get(_KINDS[policy["kind"]][1]) or {}, pod)


def _all(kube: Kube, kind: str, namespace: str) -> list[Document]:
    try:
        return [{"kind": kind, **one} for one in kube.get(path(_KINDS[kind][0], kind, namespace))["items"]]
    except Absent:
        return []


def _name(found: Document) -> str:
    return f"{found['kind']} {found['metadata'].get('namespace')}/{found['metadata']['name']}"
