"""What of an object's labels and annotations belongs to its owners' tools, and is not copied; and notes of ours among
them. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

_NOT_COPIED = re.compile(
    r"""
      kubectl\.kubernetes\.io/last-applied-configuration
    | deployment\.kubernetes\.io/.*            # the revision and what the controller notes
    | (.*\.)?argocd\.argoproj\.io/.*           # tracked copies get pruned
    | app\.kubernetes\.io/(instance|managed-by)
    | meta\.helm\.sh/.* | helm\.sh/.*
    | (.*\.)?toolkit\.fluxcd\.io/.* | keel\.sh/.*
    | autoscaling\.alpha\.kubernetes\.io/.*
    | (.*\.)?config\.k8s\.io/.* | applyset\.kubernetes\.io/.*
    | progressive-delivery/.*                  # our own notes on what is copied
    """,
    re.VERBOSE,
)
# Of a Service's annotations only what says how traffic flows: names in DNS and load balancers have one owner.
_TRAFFIC = re.compile(r"networking\.istio\.io/.*|service\.kubernetes\.io/.*|ambient\.istio\.io/.*")


def copied(marks: Mapping[str, str] | None) -> dict[str, str]:
    """Labels or annotations without those by which Argo CD, Helm, Flux and kubectl know their own objects."""
    return {key: value for key, value in (marks or {}).items() if not _NOT_COPIED.fullmatch(key)}


def about_traffic(annotations: Mapping[str, str] | None) -> dict[str, str]:
    """Annotations of a Service that say how traffic flows to it."""
    return {key: value for key, value in (annotations or {}).items() if _TRAFFIC.fullmatch(key)}


def note(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A mapping that we have noted in an annotation; empty where there is none, and where somebody made it something
    else."""
    try:
        found = json.loads((document["metadata"].get("annotations") or {}).get(key) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def number(document: Mapping[str, Any], key: str, default: int) -> int:
    """A whole number that we have noted in an annotation; the default where there is none."""
    text = (document["metadata"].get("annotations") or {}).get(key, "")
    return int(text) if text.isascii() and text.isdigit() else default
