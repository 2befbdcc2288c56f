"""What stable can carry is kept while a release may have to go back to it. Pure.

The owners' HorizontalPodAutoscaler would take pods away while the candidate has the traffic: its `minReplicas` is
raised to what runs, and the owners' own number is kept in an annotation until it is set back.
"""

import copy
import json

from delivery.adapters.kube import marks
from delivery.adapters.kube.objects import Document
from delivery.model.ids import TargetId

PINNED = f"{marks.PREFIX}pinned"


def scales(hpa: Document, deployment: str) -> bool:
    """Whether the autoscaler is this Deployment's."""
    reference = hpa["spec"]["scaleTargetRef"]
    return bool(reference["kind"] == "Deployment" and reference["name"] == deployment)


def pinned(hpa: Document, target: TargetId, replicas: int) -> Document | None:
    """The autoscaler with at least so many replicas; None where there is nothing to change.

    A number that somebody set after us stays: they know better.
    """
    before = hpa["spec"].get("minReplicas", 1)
    wanted = min(replicas, hpa["spec"]["maxReplicas"])
    if PINNED in (hpa["metadata"].get("annotations") or {}) or before >= wanted:
        return None
    changed = copy.deepcopy(hpa)
    changed["spec"]["minReplicas"] = wanted
    annotations = changed["metadata"].setdefault("annotations", {})
    annotations[PINNED] = json.dumps({"target": target, "before": before, "to": wanted}, sort_keys=True)
    return changed


def freed(hpa: Document, target: TargetId) -> Document | None:
    """The autoscaler as its owners had it; None where we changed nothing for this target."""
    text = (hpa["metadata"].get("annotations") or {}).get(PINNED)
    noted = json.loads(text) if text else {}
    if noted.get("target") != target:
        return None
    changed = copy.deepcopy(hpa)
    del changed["metadata"]["annotations"][PINNED]
    if changed["spec"].get("minReplicas") == noted["to"]:
        changed["spec"]["minReplicas"] = noted["before"]
    return changed
