"""A Deployment as the engine asks about it: ready, failing, or what it waits for."""

from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.kubernetes import condition
from delivery.adapters.workloads.kubernetes.condition import Trouble
from delivery.adapters.workloads.kubernetes.reader import Reader
from delivery.model.place import Place, host
from delivery.model.version import Endpoint
from delivery.ports.errors import Refused
from delivery.ports.workloads import Running


def running(reader: Reader, deployment: Document, endpoint: Endpoint, looked_for: str, missing: str) -> Running:
    """Ready where nothing is missing.

    It fails only where none of its newest pods serves: one bad node among many is no reason to give a version up.
    """
    if not missing:
        return Running(True, (endpoint,), looked_for=looked_for)
    pods = reader.newest_pods(deployment)
    answers = any(map(condition.is_ready, pods))
    paused = condition.paused(deployment)
    if paused:
        return Running(False, failing=paused, looked_for=looked_for, answers=answers)
    troubles, refused = condition.troubles(pods), condition.refused(deployment)
    worst = troubles[0] if troubles else None
    reasons = [text for text in (refused, _text(reader, worst)) if text]
    if (refused or (worst and worst.hopeless)) and not answers:
        return Running(False, failing="; ".join([looked_for, *reasons]), looked_for=looked_for)
    return Running(False, looked_for="; ".join([looked_for, missing, *reasons]), answers=answers)


def endpoint(place: Place, name: str, service: Document) -> Endpoint:
    """The address of a Service with the ports of the one that users call. Raises Refused where it has several."""
    ports = [port["port"] for port in service["spec"].get("ports") or ()]
    told = f"Service {place.namespace}/{service['metadata']['name']}"
    if place.port is not None and place.port not in ports:
        raise Refused(f"{told} has no port {place.port}; it has: {_listed(ports)}")
    if place.port is None and len(ports) != 1:
        raise Refused(f"{told} has several ports ({_listed(ports)}): name the one that is released as `port`")
    return Endpoint(host(place, name), place.port or ports[0])


def _text(reader: Reader, trouble: Trouble | None) -> str:
    """What a pod suffers from; the last line of its log where Kubernetes has no last words of it."""
    if trouble is None:
        return ""
    said = reader.last_line(trouble.pod, trouble.crashed) if trouble.crashed and trouble.hopeless else ""
    return f"{trouble.text}: {said}" if said else trouble.text


def _listed(ports: list[int]) -> str:
    return ", ".join(map(str, ports)) or "none"
