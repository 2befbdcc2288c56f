"""The whole service, its real adapters, and a real Kubernetes API of which every third request is refused or lost."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import ISTIO, Document, path
from delivery.adapters.ledger.sql import SqlLedger
from delivery.adapters.mesh.istio import stamps, targets
from delivery.adapters.mesh.memory import Entry
from delivery.machine.desired import desired
from delivery.machine.evolve import fold
from delivery.model.ids import target_id
from delivery.model.place import Place, object_name
from delivery.model.traffic import Traffic
from delivery.model.version import Backend, Lane
from delivery.ports.errors import Conflict, Unavailable
from delivery.ports.history import Filter
from delivery.ports.mesh import Route
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.process import CannotRun, wait_until
from tests.cluster.whole import CLUSTER, Wanted, Whole
from tests.faults.shops import Shops
from tests.faults.storm import Found
from tests.faults.trouble import Trouble
from tests.faults.writers import RACED, Writers, broken
from tests.simulation.rest import chained
from tests.simulation.watch.ghost import Broken, Ghost, InvariantBroken
from tests.simulation.watch.routes import Routes

SERVICES = ("cart", "checkout", "search", "stock")
WORKERS = ("w1", "w2")
RATE = 0.35
RESTS_WITHIN, GONE_WITHIN = 240.0, 60.0
WATCHED = 2
"""Seconds of one watch; the next one goes on from there."""
EVERYTHING = 1_000_000
KIND = "VirtualService"


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
        self.entries: list[tuple[Entry, bool]] = []
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
        self.entries.append((Entry(route, written.stamp, 0), bool(committed)))

    def _traffic(self, found: Document, service: str) -> Traffic:
        return Traffic(targets.live([found], Place(self._namespace, service, service), service).weight)


def play(cluster: Cluster, folder: Path, url: str, seconds: float) -> Found:
    """One round in a namespace of its own."""
    begun, found = time.monotonic(), Found()
    with ExitStack() as stack:
        namespace = stack.enter_context(_namespace(cluster))
        proxy, kubeconfig = stack.enter_context(cluster.faults())
        proxy.script = trouble = Trouble()
        shops = Shops(cluster, namespace, SERVICES)
        stack.callback(shops.close)
        shops.open()
        writers = Writers(cluster, namespace, kubeconfig)
        stack.callback(writers.close)
        before = shops.objects()
        whole = Whole(cluster, folder, Wanted(namespace, kubeconfig, url))
        stack.callback(whole.close)
        whole.start(WORKERS)
        ledger = SqlLedger(url, fold=fold)
        stack.callback(ledger.close)
        written = Written(cluster, namespace, ledger)
        stack.callback(written.close)
        trouble.rate = RATE
        shops.begin(whole)
        writers.begin()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            whole.check()
            time.sleep(0.5)
        trouble.rate = 0.0
        writers.finish()
        if not shops.finish(RESTS_WITHIN):
            found.broken.append(f"invariant 2: not at rest within {RESTS_WITHIN:.0f} s")
        found.broken += _at_rest(shops, written, ledger, before)
        wait_until("the watch has seen it", written.at_its_end, GONE_WITHIN)
        found.broken += [*shops.failed, *written.failed, *_checked(written, ledger)]
        found.broken += broken(written.raced, writers.tries)
    found.refused, found.ends, found.writes = trouble.refused, shops.ended, len(written.entries)
    found.happened = Counter(raced_writes=len(written.raced), requests=len(trouble.seen()))
    found.seconds = time.monotonic() - begun
    return found


def _at_rest(shops: Shops, written: Written, ledger: SqlLedger, before: set[str]) -> Iterator[str]:
    """2, 3, 7, 18: all ended as recorded, users get what is stable, and nothing of a release is left."""
    try:
        wait_until("what releases made is gone", lambda: not _left(shops, ledger, before), GONE_WITHIN)
    except CannotRun:
        yield f"invariant 2: {sorted(_left(shops, ledger, before))} is left of releases that are over"
    for row in ledger.rows():
        service = row.target.service
        if row.quarantined:
            yield f"invariant 2: {row.target.id} is quarantined: {row.quarantined}"
        last = ledger.releases([row.target.last])[row.target.last].release if row.target.last else None
        if last is not None and written.live(service) != Traffic(desired(last).weight):
            yield f"invariant 7: {service} has {written.live(service)}, {last.id} wants {desired(last)}"
        if row.target.stable and (answers := shops.answering(service)) != {row.target.stable.version}:
            yield f"invariant 18: users of {service} get {answers}, stable is {row.target.stable.version}"
    for stored in ledger.page(Filter(), EVERYTHING):
        if not stored.release.phase.closed:
            yield f"invariant 2: {stored.release.id} is still {stored.release.phase} with {stored.release.holds}"
        yield from chained(ledger, stored)


def _left(shops: Shops, ledger: SqlLedger, before: set[str]) -> set[str]:
    """What is there beside what there was; what is stable goes on being reached in every lane."""
    reached = {
        f"Service {object_name(Backend(row.target.service, row.target.stable, home=True), lane)}"
        for row in ledger.rows()
        if row.target.stable is not None
        for lane in Lane
        if lane is not Lane.PLAIN
    }
    return (shops.objects() - reached) ^ before


def _checked(written: Written, ledger: SqlLedger) -> list[str]:
    """4, 5, 6, 9 of every write, as in the simulation."""
    said, anything = Broken(), cast(Any, None)
    ghost = Ghost(cast(Any, _Clock()), said)
    ghost.resync(ledger)
    routes = Routes(ghost, anything, said, anything, anything)
    for entry, committed in written.entries:
        try:
            if not committed:
                said.say(5, f"{entry.stamp}: {entry.route.traffic} is written before that is stored")
            if entry.stamp is not None:
                routes.written(entry, entry.stamp, ())
        except InvariantBroken:
            continue
    return list(said)


class _Clock:
    """What the simulation's copy of the ledger notes its times by."""

    monotonic = 0


@contextmanager
def _namespace(cluster: Cluster) -> Iterator[str]:
    name = f"faults-{uuid4().hex[:8]}"
    cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    cluster.api.delete(f"/api/v1/namespaces/{name}")
