"""What the API server stored of our routes, version by version."""

import threading
import time
from dataclasses import dataclass
from typing import Any, cast

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import ISTIO, Document, path
from delivery.adapters.ledger.sql import SqlLedger
from delivery.adapters.mesh.istio import stamps, targets
from delivery.adapters.mesh.memory import Entry
from delivery.model.ids import target_id
from delivery.model.place import Place
from delivery.model.traffic import Traffic
from delivery.ports.errors import Conflict, Unavailable
from delivery.ports.mesh import Route
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.whole import CLUSTER
from tests.faults.writers import RACED

WATCHED = 2
"""Seconds of one watch; the next one goes on from there."""
KIND = "VirtualService"


@dataclass(frozen=True)
class Stored:
    """A write of ours. `committed`: whether what it rests on was by then; `at`: when it was seen, on the own clock."""

    entry: Entry
    committed: bool
    at: float


class Written:
    """Every version of a namespace's VirtualServices, in the order in which the API server stored them.

    Of each write of the engine: its stamp, what it gives the candidate, whether what it rests on was committed by then.
    `raced` is the route that nobody but `Writers` writes.
    """

    def __init__(self, cluster: Cluster, namespace: str, ledger: SqlLedger) -> None:
        self._namespace, self._ledger = namespace, ledger
        self._kube = Kube(str(cluster.kubeconfig))
        self._path = path(ISTIO, KIND, namespace)
        self._over = threading.Event()
        self.stored: list[Stored] = []
        self.raced: list[tuple[str, int]] = []
        self.failed: list[str] = []
        self._since = str(self._kube.get(self._path)["metadata"]["resourceVersion"])
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def live(self, service: str) -> Traffic | None:
        """What is stored now; None where nothing is of ours."""
        found = self._kube.get(path(ISTIO, KIND, self._namespace, service))
        return self._traffic(found, service) if stamps.read(found, service) else None

    def at_its_end(self) -> bool:
        """Whether everything has been seen."""
        listed = self._kube.get(self._path)["items"]
        return max(int(one["metadata"]["resourceVersion"]) for one in listed) <= int(self._since)

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._kube.close()

    def _watch(self) -> None:
        try:
            while not self._over.is_set():
                with self._kube.watch(self._path, self._since, WATCHED) as events:
                    for event in events:
                        self._took(event["object"])
        except (Conflict, Unavailable) as error:
            self.failed.append(f"the test's own watch missed something: {error!r}")

    def _took(self, found: Document) -> None:
        self._since = str(found["metadata"]["resourceVersion"])
        service = str(found["metadata"]["name"])
        written = stamps.read(found, service)
        if written is None:
            return
        if service == RACED:
            self.raced.append((f"{RACED}@{self._since}", written.stamp.dseq))
            return
        route = Route(target_id(service, CLUSTER), service, cast(Any, None), None, self._traffic(found, service))
        committed = not written.stamp.dseq or self._ledger.head_at(written.stamp.release, written.stamp.dseq)
        self.stored.append(Stored(Entry(route, written.stamp, 0), bool(committed), time.monotonic()))

    def _traffic(self, found: Document, service: str) -> Traffic:
        return Traffic(targets.live([found], Place(self._namespace, service, service), service).weight)
