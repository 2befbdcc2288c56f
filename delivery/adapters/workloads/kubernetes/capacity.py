"""What stable can carry is kept while a release may have to go back to it. Pure.

The owners' HorizontalPodAutoscaler would take pods away while the candidate has the traffic: its `minReplicas` is
raised to what runs, and the owners' own number is kept in an annotation until it is set back.
"""

import copy
import json
from collections.abc import Mapping
from typing import Any

from delivery.adapters.kube import marks
from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.kubernetes.metadata import note
from delivery.model.ids import TargetId

PINNED = f"{marks.PREFIX}pinned"


def scales(hpa: Document, deployment: str) -> bool:
    """Whether the autoscaler is this Deployment's."""
    reference = hpa["spec"]["scaleTargetRef"]
    return bool(reference["kind"] == "Deployment" and reference["name"] == deployment)


def pinned(hpa: Document, target: TargetId, replicas: int, by: str = "") -> Document | None:
    """The autoscaler with at least so many replicas; None where there is nothing to change.

    Once for each release, which is `by`: what runs when it begins is what it may have to go back to. A number that
    somebody set after us stays: they know better.
    """
    now, noted = hpa["spec"].get("minReplicas", 1), _noted(hpa)
    wanted = min(replicas, hpa["spec"]["maxReplicas"])
    another = noted.get("target") == target and noted["to"] == now and noted.get("by", "") != by
    if now >= wanted or (PINNED in (hpa["metadata"].get("annotations") or {}) and not another):
        return None
    changed = copy.deepcopy(hpa)
    changed["spec"]["minReplicas"] = wanted
    told = {"target": target, "before": noted.get("before", now), "to": wanted, "by": by}
    changed["metadata"].setdefault("annotations", {})[PINNED] = json.dumps(told, sort_keys=True)
    return changed


def freed(hpa: Document, target: TargetId) -> Document | None:
    """The autoscaler as its owners had it; None where we changed nothing for this target."""
    noted = _noted(hpa)
    if noted.get("target") != target:
        return None
    changed = copy.deepcopy(hpa)
    del changed["metadata"]["annotations"][PINNED]
    if changed["spec"].get("minReplicas") == noted["to"]:
        changed["spec"]["minReplicas"] = noted["before"]
    return changed


def _noted(hpa: Document) -> Mapping[str, Any]:
    """What we have changed; empty where that cannot be told."""
    found = note(hpa, PINNED)
    return found if all(isinstance(found.get(key), int) for key in ("before", "to")) else {}
