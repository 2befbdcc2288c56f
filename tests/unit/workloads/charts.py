"""A service as a chart leaves it in a namespace, in documents."""

from delivery.adapters.workloads.kubernetes.clone import Copy
from delivery.adapters.workloads.kubernetes.refusals import Home
from delivery.model.ids import target_id
from delivery.model.place import Isolation
from delivery.model.version import VersionRef

TARGET = target_id("checkout", "prod")
NEW = VersionRef.of("1.4.2", "registry.example/checkout@sha256:bbb")
SELECTED = {"app": "checkout", "release": "shop"}


def copy(**changes):
    given = {"target": TARGET, "name": "checkout-1-4-2-abcd1234", "version": NEW, "isolation": Isolation.SERVICE}
    return Copy(**{**given, "container": "checkout", **changes})


def deployment(*, labels=None, selector=None, annotations=None, pod=None, replicas=4, status=None, **spec):
    containers = [{"name": "checkout", "image": "registry.example/checkout:1.4.1"}]
    template = {
        "metadata": {"labels": {**SELECTED, **(labels or {})}},
        "spec": {"containers": containers, **(pod or {})},
    }
    metadata = {"name": "checkout", "namespace": "shop", "uid": "d-1", "generation": 3, "resourceVersion": "7"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**metadata, "annotations": annotations or {}},
        "spec": {
            "replicas": replicas,
            "selector": selector or {"matchLabels": SELECTED},
            "template": template,
            **spec,
        },
        "status": status or {},
    }


def service(selector=None, name="checkout", **spec):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": SELECTED if selector is None else selector, "ports": [{"port": 80}], **spec},
    }


def autoscaler(least=2, most=6, metrics=("Resource",), annotations=None):
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "checkout", "namespace": "shop", "annotations": annotations or {}},
        "spec": {
            "scaleTargetRef": reference,
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [{"type": kind} for kind in metrics],
        },
    }


def budget(selector=None, **spec):
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": SELECTED if selector is None else selector}, **spec},
    }


def home(**parts):
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    given = {"deployment": deployment(), "service": service(), "namespace": namespace, **parts}
    return Home(**{"services": [given["service"]], **given})


def pod(name="checkout-x", *, ready=False, going=False, labels=None, phase="Running", scheduled=True, **container):
    status = {
        "phase": phase,
        "conditions": [
            {"type": "PodScheduled", "status": str(scheduled), "message": "0/3 nodes are available: too little memory"},
            {"type": "Ready", "status": str(ready)},
        ],
    }
    if container:
        status["containerStatuses"] = [{"name": "checkout", "ready": ready, "restartCount": 0, **container}]
    metadata = {"name": name, "labels": labels or {}, **({"deletionTimestamp": "now"} if going else {})}
    return {"metadata": metadata, "status": status}
