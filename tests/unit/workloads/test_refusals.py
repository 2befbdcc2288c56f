"""What cannot be copied is named, with what to do; what can is not refused."""

import pytest

from delivery.adapters.workloads.kubernetes import refusals
from delivery.adapters.workloads.kubernetes.refusals import Copied
from tests.unit.workloads.charts import deployment, home, service

PORT = {"containerPort": 80, "hostPort": 8080}


def claim(*modes):
    return {"metadata": {"name": "orders", "namespace": "shop"}, "spec": {"accessModes": list(modes)}}


def scaled(name="checkout", kind=None):
    reference = {"name": name, **({"kind": kind} if kind else {})}
    return {"metadata": {"name": "by-queue", "namespace": "shop"}, "spec": {"scaleTargetRef": reference}}


def namespace(**labels):
    return {"metadata": {"name": "shop", "labels": {f"istio.io/{key}": value for key, value in labels.items()}}}


def labelled(**labels):
    found = service()
    found["metadata"]["labels"] = {f"istio.io/{key}": value for key, value in labels.items()}
    return found


AMBIENT = {"dataplane-mode": "ambient"}
WAYPOINT = {"use-waypoint": "shop"}


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"service": service(clusterIP="None")}, "Service shop/checkout is headless"),
        ({"service": service({})}, "Service shop/checkout has no selector"),
        ({"service": service(type="ExternalName")}, "is of type ExternalName"),
        (
            {"deployment": deployment(pod={"containers": [{"name": "web", "image": "web:1", "ports": [PORT]}]})},
            "container web takes hostPort 8080",
        ),
        ({"deployment": deployment(pod={"hostNetwork": True})}, "on their node's network"),
        ({"claims": [claim("ReadWriteOnce")]}, "volume claim shop/orders is ReadWriteOnce"),
        ({"claims": [claim("ReadWriteOncePod")]}, "volume claim shop/orders is ReadWriteOncePod"),
        ({"scaled": [scaled()]}, "ScaledObject shop/by-queue of KEDA"),
        ({"namespace": namespace(**AMBIENT)}, "has no waypoint"),
        ({"namespace": namespace(**AMBIENT, **{"use-waypoint": "none"})}, "has no waypoint"),
        ({"deployment": deployment(labels={"istio.io/dataplane-mode": "ambient"})}, "has no waypoint"),
        ({"services": [service(), service({"tier": "web"}, "all")]}, "Service shop/all would also select"),
    ],
)
def test_it_is_refused_by_name(parts, told):
    found = refusals.reasons(home(**parts), Copied({"tier": "web"}))
    assert len(found) == 1
    assert told in found[0]


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"claims": [claim("ReadWriteOnce", "ReadWriteMany"), claim("ReadOnlyMany")]},
        {"scaled": [scaled("other"), scaled(kind="StatefulSet")]},
        {"namespace": namespace(**AMBIENT, **WAYPOINT)},
        {"namespace": namespace(**AMBIENT), "service": labelled(**WAYPOINT)},
        {
            "namespace": namespace(**AMBIENT),
            "deployment": deployment(labels={"istio.io/dataplane-mode": "none"}),
        },
        {"services": [service(), service({"tier": "api"}, "other"), service({}, "by-hand")]},
    ],
)
def test_it_is_not_refused(parts):
    assert refusals.reasons(home(**parts), Copied({"tier": "web"})) == ()


def test_every_reason_is_told_at_once():
    found = refusals.reasons(home(service=service(clusterIP="None"), claims=[claim("ReadWriteOnce")]), Copied({}))
    assert len(found) == 2
