"""Making a version known to the proxies, and forgetting it: Services of its lanes, or subsets of a rule of ours.

Steps follow from what is there, so that any worker can go on with them; `publish` is asked until the last is done.
"""

from collections.abc import Mapping
from typing import Any

from delivery.adapters.kube import marks
from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import ISTIO, Document, path
from delivery.adapters.mesh.istio import hosts, lanes
from delivery.adapters.mesh.istio.moments import Moments
from delivery.adapters.mesh.istio.proof import Proof
from delivery.model.ids import TargetId
from delivery.model.place import Isolation, Place, deployments_of, host, object_name
from delivery.model.version import Backend, Lane
from delivery.ports.errors import Refused

LANES = (Lane.SHADOWED, Lane.SHADOW)
"""Those that are made here, in this order: the last one is the mark."""


class Publishing:
    def __init__(self, kube: Kube, proof: Proof, moments: Moments) -> None:
        self._kube = kube
        self._proof = proof
        self._moments = moments
        self._proven: dict[str, str] = {}

    def publish(self, target: TargetId, place: Place, backend: Backend) -> bool:
        """One step; True once every proxy could send the version a request."""
        if place.isolation is Isolation.SUBSET:
            return self._subsets(target, place, backend)
        return self._services(target, place, backend)

    def withdraw(self, target: TargetId, place: Place, backend: Backend) -> None:
        """Takes away what `publish` has made."""
        key = _key(place, backend)
        self._proven.pop(key, None)
        self._moments.forget(key)
        if place.isolation is Isolation.SUBSET:
            self._without_subsets(target, place, backend)
            return
        for lane in reversed(LANES):
            found = self._kube.find(self._service(place, object_name(backend, lane)))
            if found is not None and marks.is_ours(found, target):
                metadata = found["metadata"]
                self._kube.delete(
                    self._service(place, metadata["name"]), uid=metadata["uid"], revision=metadata["resourceVersion"]
                )

    def knows(self, place: Place, backend: Backend, lane: Lane) -> bool:
        """Whether a route may name the version in this lane."""
        if place.isolation is Isolation.SUBSET:
            rule = self._kube.find(self._rule(place, backend.service)) or {"spec": {}}
            names = {each["name"] for each in rule["spec"].get("subsets") or ()}
            return object_name(backend, lane) in names
        plain = backend.home and lane is Lane.PLAIN
        return self._kube.find(self._service(place, place.service if plain else _mark_of(backend))) is not None

    def reaches(self, place: Place, backend: Backend, lane: Lane) -> bool:
        """Whether what a route would name is there, marked or not: enough for the way back."""
        if place.isolation is Isolation.SUBSET:
            return self.knows(place, backend, lane)
        name = place.service if backend.home and lane is Lane.PLAIN else object_name(backend, lane)
        return self._kube.find(self._service(place, name)) is not None

    def _services(self, target: TargetId, place: Place, backend: Backend) -> bool:
        names = [place.service if backend.home else object_name(backend), *(object_name(backend, it) for it in LANES)]
        plain = self._kube.find(self._service(place, names[0]))
        if plain is None:
            return False
        _demand_addressed(plain)
        listed = path("discovery.k8s.io/v1", "EndpointSlice", place.namespace)
        slices = self._kube.get(listed, labelSelector=f"{lanes.SERVICE_NAME} in ({','.join(names)})")["items"]
        ready = [lanes.addresses(slices, name) for name in names]
        if not ready[0] or not self._has_originals(target, plain, backend) or not ready[1]:
            return False
        told = lanes.mark(ready[0])
        marked = self._marked(target, plain, backend, told, _key(place, backend))
        return marked is not None and bool(ready[2]) and self._is_known(_key(place, backend), told, marked)

    def _is_known(self, key: str, told: str, marked: Document) -> bool:
        """Whether every proxy knows it. What they knew once they know until it is written again, by whichever process:
        a proxy that comes later is told all at once."""
        written = _written(marked)
        if self._proven.get(key) == written:
            return True
        proven = self._proof.backends(self._moments.of(key, told, marked), f"{key}@{written}")
        if proven:
            self._proven[key] = written
        return proven

    def _has_originals(self, target: TargetId, plain: Document, backend: Backend) -> bool:
        """Whether the lane of the mirrored requests' originals is there; it is made where it is not."""
        wanted = lanes.lane_service(plain, backend, Lane.SHADOWED, target)
        found = self._kube.find(self._at(wanted))
        if found is None:
            self._kube.create(wanted)
            return False
        marks.demand_ours(found, target)
        return True

    def _marked(self, target: TargetId, plain: Document, backend: Backend, told: str, key: str) -> Document | None:
        """The lane that is the mark, once it says the same addresses; else it is made to."""
        wanted = lanes.lane_service(plain, backend, Lane.SHADOW, target, told)
        found = self._kube.find(self._at(wanted))
        if found is None:
            self._moments.during(key, told, lambda: self._kube.create(wanted))
            return None
        marks.demand_ours(found, target)
        if (found["metadata"].get("labels") or {}).get(lanes.PUBLISHED) == told:
            return found
        body = {
            "metadata": {"resourceVersion": found["metadata"]["resourceVersion"], "labels": {lanes.PUBLISHED: told}}
        }
        self._moments.during(key, told, lambda: self._kube.patch(self._at(wanted), body))
        return None

    def _subsets(self, target: TargetId, place: Place, backend: Backend) -> bool:
        if self._kube.find(self._service(place, place.service)) is None:
            return False
        labels = self._labels(place, backend)
        if labels is None:
            return False
        found = self._kube.find(self._rule(place, backend.service))
        if found is not None:
            marks.demand_ours(found, target)
        wanted = lanes.with_subsets(found, backend, place, target, labels, self._exported(place, backend.service))
        key, told = _key(place, backend), lanes.mark(tuple(sorted(labels.items())))
        if found == wanted:
            return self._is_known(key, told, wanted)
        write = self._kube.create if found is None else self._kube.replace
        self._proven.pop(key, None)
        self._rewritten(found, self._moments.during(key, told, lambda: write(wanted)))
        return False

    def _rewritten(self, before: Document | None, after: Document) -> None:
        """What proxies know of the other versions in a rule they still know: it was stored over what we had read."""
        if before is not None:
            old, new = _written(before), _written(after)
            for key, written in tuple(self._proven.items()):  # of other threads' too
                if written == old:
                    self._proven[key] = new

    def _without_subsets(self, target: TargetId, place: Place, backend: Backend) -> None:
        at = self._rule(place, backend.service)
        found = self._kube.find(at)
        if found is None or not marks.is_ours(found, target):
            return
        left = lanes.without_subsets(found, backend)
        if left is None:
            self._kube.delete(at, uid=found["metadata"]["uid"], revision=found["metadata"]["resourceVersion"])
        elif left != found:
            self._rewritten(found, self._kube.replace(left))

    def _labels(self, place: Place, backend: Backend) -> Mapping[str, str] | None:
        """What tells the version's pods from others of the Service; None while there is no Deployment of it."""
        names = deployments_of(place, backend)
        listed = (self._kube.find(path("apps/v1", "Deployment", place.namespace, name)) for name in names)
        found = next((one for one in listed if one is not None), None)
        if found is None:
            return None
        if labels := lanes.subset_labels(found["spec"]["template"]):
            return labels
        raise Refused(
            f"Deployment {place.namespace}/{found['metadata']['name']}: its pods have no label `version`, by which a "
            "subset could tell them from others; add it, or use `isolation: service`"
        )

    def _exported(self, place: Place, service: str) -> Any:
        """`exportTo` of the owners' rule for this host: only equal ones are joined."""
        listed = self._kube.get(path(ISTIO, "DestinationRule", place.namespace))["items"]
        for rule in listed:
            ours = rule["metadata"]["name"] == lanes.rule_name(service)
            if not ours and hosts.resolve(rule["spec"]["host"], place.namespace) == host(place, place.service):
                return rule["spec"].get("exportTo")
        return None

    @staticmethod
    def _service(place: Place, name: str) -> str:
        return path("v1", "Service", place.namespace, name)

    @staticmethod
    def _rule(place: Place, service: str) -> str:
        return path(ISTIO, "DestinationRule", place.namespace, lanes.rule_name(service))

    @staticmethod
    def _at(wanted: Document) -> str:
        return path("v1", "Service", wanted["metadata"]["namespace"], wanted["metadata"]["name"])


def _written(document: Document) -> str:
    return str(document["metadata"]["resourceVersion"])


def _key(place: Place, backend: Backend) -> str:
    return f"{place.namespace}/{object_name(backend)}"


def _mark_of(backend: Backend) -> str:
    return object_name(backend, LANES[-1])


def _demand_addressed(service: Document) -> None:
    """In sidecars a headless Service is reached by its pods' own addresses: no route applies."""
    spec, metadata = service["spec"], service["metadata"]
    name = f"{metadata['namespace']}/{metadata['name']}"
    if spec.get("clusterIP") == "None":
        raise Refused(f"Service {name} is headless: Istio sends to its pods directly, past every route")
    if not spec.get("selector"):
        raise Refused(f"Service {name} selects no pods: a route to a version needs its pods behind it")
