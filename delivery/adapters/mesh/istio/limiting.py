"""Puts the objects beside the routes there before the routes need them, and takes them away after."""

from collections.abc import Iterable, Mapping
from typing import Any

from delivery.adapters.kube import marks
from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import ISTIO, Document, path
from delivery.adapters.mesh.istio import guards, lanes, policy
from delivery.model.ids import TargetId
from delivery.model.place import Place, object_name
from delivery.model.version import Backend
from delivery.ports.errors import Refused
from delivery.ports.mesh import Route

SIDECAR = "istio-proxy"


class Limiting:
    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def put(self, route: Route, place: Place) -> None:
        """What the route asks for. Raises Refused where the candidate's pods have nothing that could carry it out."""
        wanted = guards.kinds(route)
        if not wanted or route.candidate is None:
            return
        if route.candidate.home:
            raise Refused(f"{route.service}: a version in its owners' own workload has no limits of its own")
        labels = self.labels(place, route.candidate)
        if wanted & frozenset(guards.AT_SIDECARS):
            self._demand_sidecars(place, labels)
        for kind in guards.VERSIONS:
            if kind not in wanted:
                continue
            if kind == guards.HOST and not guards.by_host(place):
                limits = policy.of_host(route.traffic.policy)
                self._limit_subset(place, route.service, object_name(route.candidate), limits)
            else:
                self._put(guards.document(kind, route, route.candidate, place, labels), route.target)

    def drop(self, target: TargetId, place: Place, told: Iterable[str]) -> None:
        """Takes these (`KIND/NAME`) away, the denial before the token; what is gone already is fine."""
        for kind, _, name in sorted((each.partition("/") for each in told), key=lambda each: each[0]):
            if kind == guards.HOST and not guards.by_host(place):
                self._limit_subset(place, target.rpartition("@")[0], name, {})
                continue
            at = path(guards.VERSIONS[kind], kind, place.namespace, name)
            found = self._kube.find(at)
            if found is not None and marks.is_ours(found, target):
                self._kube.delete(at, uid=found["metadata"]["uid"], revision=found["metadata"]["resourceVersion"])

    def _put(self, wanted: Document, target: TargetId) -> None:
        metadata = wanted["metadata"]
        found = self._kube.find(path(wanted["apiVersion"], wanted["kind"], metadata["namespace"], metadata["name"]))
        if found is None:
            self._kube.create(wanted)
            return
        marks.demand_ours(found, target)
        if found["spec"] != wanted["spec"]:
            self._kube.replace({**found, "spec": wanted["spec"]})

    def _limit_subset(self, place: Place, service: str, name: str, limits: Mapping[str, Any]) -> None:
        rule = self._kube.find(self._rule(place, service))
        if rule is None:
            return
        limited = guards.with_policy(rule, name, limits)
        if limited != rule:
            self._kube.replace(limited)

    def labels(self, place: Place, backend: Backend) -> dict[str, str]:
        """What selects the version's pods and no others."""
        if guards.by_host(place):
            service = self._kube.find(path("v1", "Service", place.namespace, object_name(backend)))
            found = dict((service or {"spec": {}})["spec"].get("selector") or {})
        else:
            rule = self._kube.find(self._rule(place, backend.service))
            found = guards.subset_labels(rule, backend) if rule else {}
        if not found:
            raise Refused(f"{backend.name} is not published: nothing selects its pods in {place.namespace}")
        return found

    def _demand_sidecars(self, place: Place, labels: dict[str, str]) -> None:
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        pods = self._kube.get(path("v1", "Pod", place.namespace), labelSelector=selector)["items"]
        bare = [pod["metadata"]["name"] for pod in pods if not _has_sidecar(pod)]
        if bare or not pods:
            which = f"pod {place.namespace}/{bare[0]} has no Istio sidecar" if bare else f"no pod has {selector}"
            raise Refused(f"a rate limit or a token is asked for by the candidate's sidecars, and {which}: inject one")

    @staticmethod
    def _rule(place: Place, service: str) -> str:
        return path(ISTIO, "DestinationRule", place.namespace, lanes.rule_name(service))


def _has_sidecar(pod: Document) -> bool:
    """Also a native one, which is an init container that goes on."""
    spec = pod["spec"]
    return any(each["name"] == SIDECAR for each in (*spec["containers"], *(spec.get("initContainers") or ())))
