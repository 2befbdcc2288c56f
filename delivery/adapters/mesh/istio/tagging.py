"""Puts the trace tags of a release there, and takes them away. No release waits for them or fails by them."""

import contextlib
from collections.abc import Iterable

from delivery.adapters.kube import marks
from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import Document, path
from delivery.adapters.mesh.istio import tags
from delivery.adapters.mesh.istio.limiting import Limiting
from delivery.model.ids import TargetId
from delivery.model.place import Place
from delivery.ports.errors import PortError
from delivery.ports.mesh import Route

ROOT = "istio-system"


class Tagging:
    """`asked`: whether the server's configuration wants tags. Where it does not, what is left of earlier ones goes."""

    def __init__(self, kube: Kube, limiting: Limiting, *, asked: bool) -> None:
        self._kube = kube
        self._limiting = limiting
        self._asked = asked

    def put(self, route: Route, place: Place, held: frozenset[str]) -> frozenset[str]:
        """What of it is there now, as the stamp keeps it. Once for a release: `held` is known to be there."""
        if not self._asked or not tags.wanted(route) or route.candidate is None:
            return frozenset()
        told = frozenset((tags.told(route.candidate),))
        if not told <= held:
            try:
                self._put(route, place)
            except PortError:  # no such kind, no right, no answer: `check` says so
                return frozenset()
        return told

    def drop(self, target: TargetId, place: Place, told: Iterable[str]) -> None:
        """Takes these (`KIND/NAME`) away; what cannot be taken away now harms nobody."""
        for name in (each.partition("/")[2] for each in told):
            with contextlib.suppress(PortError):
                at = path(tags.VERSION, tags.KIND, place.namespace, name)
                found = self._kube.find(at)
                if found is not None and marks.is_ours(found, target):
                    self._kube.delete(at, uid=found["metadata"]["uid"], revision=found["metadata"]["resourceVersion"])

    def _put(self, route: Route, place: Place) -> None:
        if route.candidate is None:
            return
        selector = self._limiting.labels(place, route.candidate)
        theirs = tags.in_force(self._root(), self._listed(place.namespace), self._pod(place, selector))
        wanted = tags.document(route, route.candidate, place.namespace, selector, theirs)
        found = self._kube.find(path(tags.VERSION, tags.KIND, place.namespace, wanted["metadata"]["name"]))
        if found is None:
            self._kube.create(wanted)
            return
        marks.demand_ours(found, route.target)
        if found["spec"] != wanted["spec"]:
            self._kube.replace({**found, "spec": wanted["spec"]})

    def _pod(self, place: Place, selector: dict[str, str]) -> dict[str, str]:
        """All labels of one of the version's pods; what selects them where there is none."""
        wanted = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
        pods = self._kube.get(path("v1", "Pod", place.namespace), labelSelector=wanted)["items"]
        return dict(pods[0]["metadata"].get("labels") or {}) if pods else selector

    def _root(self) -> list[Document]:
        """Those for the whole mesh, where they may be read."""
        with contextlib.suppress(PortError):
            return self._listed(ROOT)
        return []

    def _listed(self, namespace: str) -> list[Document]:
        return list(self._kube.get(path(tags.VERSION, tags.KIND, namespace))["items"])
