"""Our client of the Kubernetes API on the real API server: what its errors become, and that every call ends."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.adapters.kube.client import JSON_PATCH, Absent, Kube
from delivery.adapters.kube.objects import path
from delivery.ports.errors import Conflict, Refused, Unavailable
from tests.cluster import objects
from tests.cluster.testbed.api import Document
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.fault_proxy import FaultProxy
from tests.cluster.testbed.faults import WATCH, Answer, Lost


@pytest.fixture
def kube(cluster: Cluster) -> Iterator[Kube]:
    client = Kube(str(cluster.kubeconfig))
    yield client
    client.close()


@pytest.fixture
def proxied(cluster: Cluster) -> Iterator[tuple[Kube, FaultProxy]]:
    with cluster.faults() as (proxy, kubeconfig):
        client = Kube(str(kubeconfig))
        yield client, proxy
        client.close()


def note(namespace: str, name: str = "note", **data: str) -> Document:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def where(namespace: str, name: str | None = "note") -> str:
    return path("v1", "ConfigMap", namespace, name)


def test_what_is_not_there(kube: Kube, namespace: str) -> None:
    assert kube.find(where(namespace)) is None
    with pytest.raises(Absent, match='configmaps "note" not found'):
        kube.get(where(namespace))
    with pytest.raises(Absent):
        kube.get(path("nobody.example/v1", "Thing", namespace))
    with pytest.raises(Absent):
        kube.patch(where(namespace), {"data": {"text": "one"}})
    kube.delete(where(namespace))


def test_whoever_comes_second_has_a_conflict(kube: Kube, namespace: str) -> None:
    made = kube.create(note(namespace, text="one"))
    with pytest.raises(Conflict, match="already exists"):
        kube.create(note(namespace, text="two"))
    kube.replace({**made, "data": {"text": "two"}})
    with pytest.raises(Conflict, match="has been modified"):
        kube.replace({**made, "data": {"text": "three"}})
    old = {"resourceVersion": made["metadata"]["resourceVersion"]}
    with pytest.raises(Conflict):
        kube.patch(where(namespace), {"metadata": old, "data": {"text": "three"}})
    assert kube.get(where(namespace))["data"] == {"text": "two"}


def test_only_the_object_that_was_read_is_deleted(kube: Kube, namespace: str) -> None:
    first = kube.create(note(namespace))["metadata"]
    kube.delete(where(namespace))
    second = kube.create(note(namespace))["metadata"]
    with pytest.raises(Conflict):
        kube.delete(where(namespace), uid=first["uid"])
    with pytest.raises(Conflict):
        kube.delete(where(namespace), revision=first["resourceVersion"])
    kube.delete(where(namespace), uid=second["uid"], revision=second["resourceVersion"])
    assert kube.find(where(namespace)) is None


def test_what_is_invalid_is_refused_in_the_api_servers_words(kube: Kube, namespace: str) -> None:
    bad = objects.deployment(namespace, "shop", "v1")
    bad["spec"]["template"]["metadata"]["labels"] = {}
    with pytest.raises(Refused, match="`selector` does not match template `labels`"):
        kube.create(bad)
    made = kube.create(note(namespace, text="one"))
    test = [{"op": "test", "path": "/data/text", "value": "two"}, {"op": "remove", "path": "/data/text"}]
    with pytest.raises(Refused, match="test"):
        kube.patch(where(namespace), test, JSON_PATCH)
    assert kube.get(where(namespace))["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_istiods_webhook_refuses_in_its_own_words(kube: Kube, namespace: str) -> None:
    body = objects.virtual_service(namespace, "shop", "invalid.example.com", {"v1": 100})
    body["spec"]["http"][0]["redirect"] = {"uri": "/elsewhere"}
    for dry_run in (True, False):
        with pytest.raises(Refused, match="cannot contain both route and redirect"):
            kube.create(body, dry_run=dry_run)


def test_a_dry_run_writes_nothing(kube: Kube, namespace: str) -> None:
    assert kube.create(note(namespace, text="one"), dry_run=True)["data"] == {"text": "one"}
    assert kube.find(where(namespace)) is None
    made = kube.create(note(namespace, text="one"))
    kube.replace({**made, "data": {"text": "two"}}, dry_run=True)
    kube.patch(where(namespace), {"data": {"text": "two"}}, dry_run=True)
    assert kube.get(where(namespace))["data"] == {"text": "one"}


def test_a_watch_tells_what_happens_after_what_was_listed(kube: Kube, namespace: str) -> None:
    kube.create(note(namespace, "before"))
    since = kube.get(where(namespace, None))["metadata"]["resourceVersion"]
    kube.create(note(namespace, "after"))
    kube.delete(where(namespace, "after"))
    with kube.watch(where(namespace, None), since, 20) as events:
        told = [next(events) for _ in range(2)]
    assert [(one["type"], one["object"]["metadata"]["name"]) for one in told] == [
        ("ADDED", "after"),
        ("DELETED", "after"),
    ]


def test_a_watch_ends_by_itself(kube: Kube, namespace: str) -> None:
    since = kube.get(where(namespace, None))["metadata"]["resourceVersion"]
    began = time.monotonic()
    with kube.watch(where(namespace, None), since, 1) as events:
        assert list(events) == []
    assert time.monotonic() - began < 10


def test_a_watch_from_a_version_that_is_too_old_is_a_conflict(proxied: tuple[Kube, FaultProxy], namespace: str) -> None:
    """The API server of so short a run forgets nothing: the proxy answers as one that did."""
    kube, proxy = proxied
    proxy.script.add(Answer(410), WATCH)
    with pytest.raises(Conflict), kube.watch(where(namespace, None), "1", 5) as events:
        list(events)


def test_no_access(kube: Kube, cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "wrong"}
    (tmp_path / "wrong").write_text(json.dumps(config))
    stranger = Kube(str(tmp_path / "wrong"))
    with pytest.raises(Unavailable, match="Unauthorized"):
        stranger.get(where(namespace))
    stranger.close()
    with pytest.raises(Refused, match="no access to the Kubernetes API"):
        Kube(str(tmp_path / "nothing"))
    with pytest.raises(Refused, match="elsewhere"):
        Kube(str(cluster.kubeconfig), "elsewhere")


def test_an_api_server_that_is_away_or_stops_in_the_middle(
    proxied: tuple[Kube, FaultProxy], namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kube, proxy = proxied
    monkeypatch.setattr("delivery.adapters.kube.client.CALL_SECONDS", 0.5)
    proxy.script.add(Lost(applied=False, hold=30), "GET", times=1)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        kube.get(where(namespace))
    assert time.monotonic() - began < 5, "every call is bounded"
    proxy.close()
    with pytest.raises(Unavailable, match="does not answer"):
        kube.get(where(namespace))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_be_over_in_a_moment(proxied: tuple[Kube, FaultProxy], namespace: str, status: int) -> None:
    kube, proxy = proxied
    proxy.script.add(Answer(status, retry_after=3), "POST", times=1)
    with pytest.raises(Unavailable) as told:
        kube.create(note(namespace))
    assert told.value.retry_after == 3
    assert proxy.script.counts()["POST", "configmaps"] == 1, "who calls decides whether to ask again"
    kube.create(note(namespace))


def test_what_is_no_document_is_text(kube: Kube, namespace: str) -> None:
    with pytest.raises(Absent):
        kube.text(f"{path('v1', 'Pod', namespace, 'nobody')}/log")
    assert kube.text("/readyz") == "ok"
