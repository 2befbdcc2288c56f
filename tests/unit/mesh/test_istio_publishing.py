"""Making a version known: what one process has proven is no proof of what another one has written since."""

import itertools
import time

import pytest

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import ISTIO, path, path_of
from delivery.adapters.mesh.istio import lanes
from delivery.adapters.mesh.istio.clock import Span
from delivery.adapters.mesh.istio.moments import Moments
from delivery.adapters.mesh.istio.proof import Proof
from delivery.adapters.mesh.istio.publishing import Publishing
from delivery.model.ids import target_id
from delivery.model.place import Isolation, Mode, Place
from delivery.model.version import Backend, VersionRef

TARGET = target_id("checkout", "prod")
PLACE = Place("shop", "checkout", "checkout", Mode.VERSIONED, Isolation.SUBSET, candidate="checkout-{version}")
BACKEND = Backend("checkout", VersionRef("1.4.2", "1.4.2"))
RULE = path(ISTIO, "DestinationRule", "shop", lanes.rule_name("checkout"))


class Objects(Kube):
    """A namespace, as the API server would keep it."""

    def __init__(self):
        self.there = {}
        self.numbers = map(str, itertools.count(1))

    def find(self, path):
        return self.there.get(path)

    def get(self, path, **query):
        return {"items": [one for key, one in self.there.items() if key.startswith(path)]}

    def put(self, body, **_):
        metadata = {**body["metadata"], "resourceVersion": next(self.numbers), "uid": "u"}
        noted = [{"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}]
        self.there[path_of(body)] = made = {**body, "metadata": {**metadata, "managedFields": noted}}
        return made

    create = replace = put

    def delete(self, path, **_):
        del self.there[path]


class Proxies(Proof):
    """They know what was written before `told`."""

    def __init__(self):
        self.told = float("-inf")
        self.asked: list[str] = []

    def backends(self, change: Span, write: str) -> bool:
        self.asked.append(write)
        return change.last <= self.told

    def learn(self):
        self.told = time.monotonic()


@pytest.fixture
def objects():
    found = Objects()
    found.put({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop", "name": "checkout"}})
    pods = {"metadata": {"labels": {"version": "1.4.2"}}}
    deployment = {"namespace": "shop", "name": "checkout-1-4-2"}
    found.put({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": deployment, "spec": {"template": pods}})
    return found


def published(process: Publishing) -> bool:
    return process.publish(TARGET, PLACE, BACKEND)


def test_a_version_that_another_process_took_away_is_proven_anew_when_it_comes_back(objects):
    proxies = Proxies()
    one, other = (Publishing(objects, proxies, Moments()) for _ in range(2))
    assert not published(one), "it is written first"
    proxies.learn()
    assert published(one)
    asked = len(proxies.asked)
    assert published(one)
    assert len(proxies.asked) == asked, "what they knew once they know"
    other.withdraw(TARGET, PLACE, BACKEND)
    assert RULE not in objects.there
    assert not published(other)
    assert not published(one), "the proxies have not heard of this one yet"
    proxies.told = time.monotonic() + 9  # beyond what whole seconds can tell of another process' write
    assert published(one)
    assert len(set(proxies.asked)) == 2, "and refusals are counted for each write by itself"


def test_another_version_in_the_same_rule_leaves_what_is_known_known(objects):
    proxies, other = Proxies(), Backend("checkout", VersionRef("1.4.3", "1.4.3"))
    process = Publishing(objects, proxies, Moments())
    assert not published(process)
    proxies.learn()
    assert published(process)
    assert not process.publish(TARGET, PLACE, other), "it is written first"
    assert published(process), "nothing was changed of it"
    assert not process.publish(TARGET, PLACE, other), "nobody has heard of this one yet"
    process.withdraw(TARGET, PLACE, other)
    assert published(process)
