"""The proxy before the API server fails as it is told, counts what is asked, and is transparent otherwise."""

import threading
import time
from collections.abc import Iterator

import pytest

from delivery.adapters.kube.client import Kube
from delivery.ports.errors import Conflict, Refused, Unavailable
from tests.cluster.testbed.api import Document
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.fault_proxy import FaultProxy
from tests.cluster.testbed.faults import WATCH, Answer, Held, Lost, Script, Slow, kind_of, verb_of
from tests.cluster.testbed.process import wait_until

Proxied = tuple[Kube, FaultProxy]


@pytest.fixture
def proxied(cluster: Cluster) -> Iterator[Proxied]:
    """Our own client of the API, through a proxy of the test's own."""
    with cluster.faults() as (proxy, kubeconfig):
        kube = Kube(str(kubeconfig))
        yield kube, proxy
        kube.close()


def note(namespace: str, name: str = "note", **data: str) -> Document:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def path(namespace: str, name: str = "note") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps/{name}"


def test_without_faults_it_is_transparent(proxied: Proxied, namespace: str) -> None:
    kube, proxy = proxied
    made = kube.create(note(namespace, text="one"))
    made["data"]["text"] = "two"
    kube.replace(made)
    kube.patch(path(namespace), {"data": {"more": "three"}})
    assert kube.get(path(namespace))["data"] == {"text": "two", "more": "three"}
    with pytest.raises(Conflict, match="object has been modified"):
        kube.replace(made)
    kube.delete(path(namespace))
    assert kube.find(path(namespace)) is None
    counted = proxy.script.counts()
    assert counted["PUT", "configmaps"] == 2
    assert counted["GET", "configmaps"] == 2
    assert [one.status for one in proxy.script.seen() if one.verb in ("POST", "PUT")] == [201, 200, 409]


def test_a_watch_goes_through_event_by_event(proxied: Proxied, namespace: str) -> None:
    kube, proxy = proxied
    since = kube.get(f"/api/v1/namespaces/{namespace}/configmaps")["metadata"]["resourceVersion"]
    with kube.watch(f"/api/v1/namespaces/{namespace}/configmaps", since, 20) as events:
        kube.create(note(namespace, "first"))
        assert next(events)["object"]["metadata"]["name"] == "first"
        kube.create(note(namespace, "second"))
        assert next(events)["object"]["metadata"]["name"] == "second"
    assert proxy.script.counts()[WATCH, "configmaps"] == 1


def test_answers_as_told_and_only_so_often(proxied: Proxied, namespace: str) -> None:
    kube, proxy = proxied
    proxy.script.add(Answer(429, retry_after=7), "POST", "/configmaps", times=1)
    proxy.script.add(Answer(409), "POST", "/configmaps", times=1)
    with pytest.raises(Unavailable) as told:
        kube.create(note(namespace))
    assert told.value.retry_after == 7
    with pytest.raises(Conflict, match="fault of the tests"):
        kube.create(note(namespace))
    kube.create(note(namespace))
    with proxy.script.faults((Answer(500), "GET", "/configmaps/")):
        for _ in range(2):
            with pytest.raises(Unavailable):
                kube.get(path(namespace))
    kube.get(path(namespace))


def test_a_write_whose_answer_is_lost_is_there_or_not_as_told(proxied: Proxied, namespace: str) -> None:
    kube, proxy = proxied
    for name, applied in (("before", False), ("after", True)):
        proxy.script.add(Lost(applied), "POST", times=1)
        with pytest.raises(Unavailable):
            kube.create(note(namespace, name))
        assert (kube.find(path(namespace, name)) is not None) == applied


def test_a_client_that_gives_up_ends_the_wait(proxied: Proxied, namespace: str, monkeypatch) -> None:
    kube, proxy = proxied
    monkeypatch.setattr("delivery.adapters.kube.client.CALL_SECONDS", 0.3)
    proxy.script.add(Lost(applied=True, hold=60), "POST", times=1)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        kube.create(note(namespace))
    proxy.close()
    assert time.monotonic() - began < 10
    with pytest.raises((Unavailable, Refused)):
        kube.get(path(namespace))


def test_slow_is_late_and_not_lost(proxied: Proxied, namespace: str) -> None:
    kube, proxy = proxied
    proxy.script.add(Slow(0.5), "POST", times=1)
    began = time.monotonic()
    kube.create(note(namespace))
    assert time.monotonic() - began >= 0.5


def test_held_comes_when_it_is_let_go(proxied: Proxied, namespace: str) -> None:
    kube, proxy = proxied
    let_go = threading.Event()
    proxy.script.add(Held(let_go), "POST", times=1)
    writing = threading.Thread(target=kube.create, args=(note(namespace),))
    writing.start()
    wait_until("it is asked", lambda: proxy.script.counts()["POST", "configmaps"] == 1, 10)
    assert kube.find(path(namespace)) is None
    let_go.set()
    writing.join()
    assert kube.find(path(namespace)) is not None


def test_the_first_rule_that_fits_and_has_some_left_is_followed() -> None:
    script = Script()
    script.add(Answer(500), "PUT", "/virtualservices/", times=1)
    script.add(Answer(503), "", "/virtualservices/")
    for verb, where, fault in (
        ("PUT", "/virtualservices/a", Answer(500)),
        ("PUT", "/virtualservices/a", Answer(503)),
        ("GET", "/virtualservices/a", Answer(503)),
        ("GET", "/pods", None),
    ):
        assert script.take(verb, where)[1] == fault
    script.clear()
    assert script.take("PUT", "/virtualservices/a")[1] is None
    assert [one.path for one in script.seen(since=3)] == ["/pods", "/virtualservices/a"]


def test_kinds_and_verbs() -> None:
    assert verb_of("GET", "/api/v1/pods?watch=true&resourceVersion=7") == WATCH
    assert verb_of("GET", "/api/v1/pods") == "GET"
    for where, kind in (
        ("/apis/apps/v1/namespaces/shop/deployments/checkout/scale", "deployments"),
        ("/apis/networking.istio.io/v1/virtualservices", "virtualservices"),
        ("/api/v1/namespaces/shop/pods", "pods"),
        ("/api/v1/namespaces/shop", "namespaces"),
        ("/readyz", "/readyz"),
    ):
        assert kind_of(where) == kind
