"""What a Deployment and its pods say of themselves, in words that a person can act on. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from delivery.adapters.kube.objects import Document

CRASHES = 3  # before a crash loop counts as one: a service may wait for what it needs by crashing once or twice
_HOPELESS = {
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a pod is not ready. `hopeless`: it will not become so by itself. `crashed`: the container whose log may say
    more, where it left no last words."""

    pod: str
    text: str
    hopeless: bool = False
    crashed: str | None = None


def unfinished(deployment: Document) -> str:
    """What is missing until all of its pods are of its newest template; nothing where they are."""
    name, replicas = _name(deployment), deployment["spec"].get("replicas", 1)
    total, updated = (_count(deployment, kind) for kind in ("replicas", "updatedReplicas"))
    if _count(deployment, "observedGeneration") < deployment["metadata"]["generation"]:
        return f"the Deployment controller has not seen the last change of Deployment {name} yet"
    if updated < replicas:
        return f"{updated} of {replicas} pods of Deployment {name} are of the new kind"
    if total > updated:
        return f"{total - updated} old pods of Deployment {name} are still there"
    return ""


def unavailable(deployment: Document, wanted: int) -> str:
    """What is missing until it can carry what so many pods can. As many have to be available as the Deployment itself
    calls enough: all but its maxUnavailable. A restart of its pods, one after the other, takes nothing away.
    """
    available, least = _count(deployment, "availableReplicas"), enough(deployment, wanted)
    return "" if available >= least else _available(deployment, available, max(wanted, least))


def missing(deployment: Document) -> str:
    """What is missing until it has rolled out whole: no old pod, every new one available."""
    available, replicas = _count(deployment, "availableReplicas"), max(1, deployment["spec"].get("replicas", 1))
    return unfinished(deployment) or ("" if available >= replicas else _available(deployment, available, replicas))


def enough(deployment: Document, wanted: int) -> int:
    """Pods that have to be available where so many are wanted."""
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    return max(1, wanted - _portion(rolling.get("maxUnavailable", 0), wanted))


def refused(deployment: Document) -> str:
    """Why pods of it could not even be made, or did not come in its own time."""
    for one in (deployment.get("status") or {}).get("conditions") or ():
        if one["type"] == "ReplicaFailure" and one["status"] == "True":
            return f"no pod can be made: {one.get('message', one.get('reason', ''))}"
    for one in (deployment.get("status") or {}).get("conditions") or ():
        if one["type"] == "Progressing" and one.get("reason") == "ProgressDeadlineExceeded":
            seconds = deployment["spec"].get("progressDeadlineSeconds", 600)
            return f"it made no progress for {seconds} s (its progressDeadlineSeconds)"
    return ""


def paused(deployment: Document) -> str:
    """How to let it go on, where it is told to roll out nothing."""
    name, namespace = deployment["metadata"]["name"], deployment["metadata"]["namespace"]
    command = f"kubectl -n {namespace} rollout resume deployment/{name}"
    return f"Deployment {_name(deployment)} is paused: {command}" if deployment["spec"].get("paused") else ""


def troubles(pods: Iterable[Document]) -> tuple[Trouble, ...]:
    """Why pods are not ready, the hopeless first."""
    found = [trouble for pod in pods if not is_ready(pod) and not is_going(pod) for trouble in _troubles(pod)]
    return tuple(sorted(found, key=lambda one: not one.hopeless))


def is_ready(pod: Document) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def is_going(pod: Document) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _troubles(pod: Document) -> Iterator[Trouble]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    for one in status.get("conditions") or ():
        if one["type"] == "PodScheduled" and one["status"] == "False":
            yield Trouble(name, f"pod {name} has no node: {one.get('message', one.get('reason', ''))}")
            return
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        found = _container(name, one)
        if found is not None:
            yield found
            return
    yield Trouble(name, f"pod {name} is {status.get('phase', 'Pending')}")


def _container(pod: str, status: Mapping[str, Any]) -> Trouble | None:
    where, state = f"pod {pod}, container {status['name']}", status.get("state") or {}
    if "waiting" in state:
        return _waiting(pod, where, status)
    if "terminated" in state and state["terminated"].get("exitCode") == 0:
        return None  # a start that is done
    if "terminated" in state:
        return Trouble(pod, f"{where}: {_last_words(state['terminated'])}", crashed=status["name"])
    if not status.get("ready") and status.get("restartCount", 0) >= CRASHES:
        return _crashing(pod, where, status)
    return None if status.get("ready") else Trouble(pod, f"{where}: it runs, and its readiness probe fails")


def _waiting(pod: str, where: str, status: Mapping[str, Any]) -> Trouble:
    waiting = status["state"]["waiting"]
    reason = waiting.get("reason", "waiting")
    if reason == "CrashLoopBackOff":
        return _crashing(pod, where, status)
    told = f": {waiting['message']}" if waiting.get("message") else ""
    image = f" of {status['image']}" if "Image" in reason and status.get("image") else ""
    return Trouble(pod, f"{where}: {reason}{image}{told}", hopeless=reason in _HOPELESS)


def _crashing(pod: str, where: str, status: Mapping[str, Any]) -> Trouble:
    ended = (status.get("lastState") or {}).get("terminated") or {}
    restarts = status.get("restartCount", 0)
    text = f"{where}: it crashed {restarts} times, {_last_words(ended)}"
    return Trouble(pod, text, restarts >= CRASHES, None if ended.get("message") else status["name"])


def _last_words(ended: Mapping[str, Any]) -> str:
    code = f"exit code {ended['exitCode']}" if "exitCode" in ended else "for no reason given"
    reason = f" ({ended['reason']})" if ended.get("reason") not in (None, "Error", "Completed") else ""
    message = str(ended.get("message", "")).strip().rpartition("\n")[2]
    return f"{code}{reason}" + (f": {message}" if message else "")


def _portion(value: int | str, of: int) -> int:
    """A number, or a percentage rounded down, as the controller has it for maxUnavailable."""
    return of * int(value.rstrip("%")) // 100 if isinstance(value, str) else value


def of_template(pods: Sequence[Document], replica_sets: Sequence[Document], deployment: Document) -> list[Document]:
    """Those of the pods that the Deployment's newest template made."""
    uid, revision = deployment["metadata"]["uid"], _revision(deployment)
    hashes = {
        one["metadata"]["labels"]["pod-template-hash"]
        for one in replica_sets
        if _revision(one) == revision
        and any(owner["uid"] == uid for owner in one["metadata"].get("ownerReferences") or ())
    }
    return [pod for pod in pods if (pod["metadata"].get("labels") or {}).get("pod-template-hash") in hashes]


def _revision(document: Document) -> str | None:
    found = (document["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision")
    return None if found is None else str(found)


def _count(deployment: Document, key: str) -> int:
    return int((deployment.get("status") or {}).get(key, 0))


def _available(deployment: Document, available: int, of: int) -> str:
    nothing = "" if deployment["spec"].get("replicas", 1) else ": it is scaled to 0"
    return f"{available} of {of} pods of Deployment {_name(deployment)} are available{nothing}"


def _name(deployment: Document) -> str:
    return f"{deployment['metadata']['namespace']}/{deployment['metadata']['name']}"
