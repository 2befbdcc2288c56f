"""The Job of an attempt, from the template that the namespace's owners keep. Pure."""

import copy
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from delivery.adapters.kube import images, marks
from delivery.adapters.kube.objects import Document
from delivery.model.ids import SECOND
from delivery.ports.errors import Refused
from delivery.ports.hooks import HookCall

ATTEMPT = f"{marks.PREFIX}hook"
"""Annotation: which attempt it is."""
KEPT_SECONDS = 24 * 3600
"""For which an ended Job stays: for people, and so that it is known to have been made."""
TOLD = ("hook", "step", "stage", "attempt", "service", "cluster", "version", "image", "stable_version", "cause")
"""Facts that become environment variables."""
_READABLE = 46  # of 63 characters; a dash and the hash follow, and pods' names add theirs


def name_of(call: HookCall) -> str:
    """What the Job is called: the same for an attempt, another for every other."""
    service = call.target.rpartition("@")[0]
    readable = re.sub(r"[^a-z0-9]+", "-", f"{service}-{call.hook}".lower())[:_READABLE].rstrip("-")
    told = f"{call.target}\n{call.key}".encode()
    return f"{readable}-{hashlib.sha256(told).hexdigest()[:10]}"


def made_from(cron: Document, call: HookCall, namespace: str) -> Document:
    """The Job. It is the template's, but: it ends when the attempt's time is over, is not tried again by itself unless
    the template says so, stays for a day, runs the candidate's image where it ran another of that repository, and is
    told what it is about.
    """
    template = cron["spec"]["jobTemplate"]
    metadata, spec = template.get("metadata") or {}, copy.deepcopy(template["spec"])
    pod = _with_image(spec["template"], call.candidate.image)
    for container in images.containers_of(pod):
        container["env"] = [*(container.get("env") or ()), *_environment(call)]
    limit = max(1, call.timeout // SECOND)
    spec |= {
        "template": pod,
        "activeDeadlineSeconds": min(limit, spec.get("activeDeadlineSeconds") or limit),
        "backoffLimit": spec.get("backoffLimit", 0),
        "ttlSecondsAfterFinished": max(KEPT_SECONDS, spec.get("ttlSecondsAfterFinished") or 0),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name_of(call),
            "namespace": namespace,
            "labels": {**(metadata.get("labels") or {}), marks.MANAGED_BY: marks.US},
            "annotations": {**(metadata.get("annotations") or {}), marks.TARGET: call.target, ATTEMPT: call.key},
        },
        "spec": spec,
    }


def demand_attempt(found: Document, call: HookCall) -> None:
    """Raises Refused for a Job of this name that is another's."""
    marks.demand_ours(found, call.target)
    if (found["metadata"].get("annotations") or {}).get(ATTEMPT) != call.key:
        raise Refused(f"Job {found['metadata']['name']} was made for something else: delete it")


def demand_unselected(made: Document, service: Document | None) -> None:
    """Raises Refused where users' requests would be sent to the Job's pods."""
    selector = (service or {}).get("spec", {}).get("selector") or {}
    labels = (made["spec"]["template"].get("metadata") or {}).get("labels") or {}
    if selector and selector.items() <= labels.items():
        name = service["metadata"]["name"] if service else ""
        told = ", ".join(f"{key}={value}" for key, value in sorted(selector.items()))
        raise Refused(f"Service {name} would send users to the Job's pods: give these other labels than {told}")


def last_words(pod: Mapping[str, Any], lines: int) -> str:
    """What Kubernetes kept of what a pod's containers said at their end: the newest lines."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    told = ((one.get("state") or {}).get("terminated") or {} for one in statuses)
    message = next((one["message"] for one in told if one.get("message")), "")
    return "\n".join(message.strip().splitlines()[-lines:])


def _with_image(pod: Mapping[str, Any], image: str | None) -> dict[str, Any]:
    changed = copy.deepcopy(dict(pod))
    for container in images.containers_of(changed) if image else ():
        if images.repository(container["image"]) == images.repository(image or ""):
            container["image"] = image
    return changed


def _environment(call: HookCall) -> list[dict[str, str]]:
    """What it is about. A later variable of the same name wins, so that these are always right."""
    told = {name: call.facts.get(name) for name in TOLD}
    release = call.facts.get("release")
    told |= {"release": release.get("id") if isinstance(release, Mapping) else None, "key": call.key}
    return [
        {"name": f"DELIVERY_{name.upper()}", "value": str(value)} for name, value in told.items() if value is not None
    ]
