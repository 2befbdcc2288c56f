"""The whole service, whose processes die, and a real Kubernetes API of which every third request is refused or lost.

Users count who answers them, and gates judge what they count.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from delivery.adapters.ledger.sql import SqlLedger
from delivery.machine.desired import desired
from delivery.machine.evolve import fold
from delivery.model.place import object_name
from delivery.model.traffic import Traffic
from delivery.model.version import Backend, Lane
from delivery.ports.history import Filter
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.process import CannotRun, wait_until
from tests.cluster.whole import Wanted
from tests.faults.mortal import Mortal
from tests.faults.shops import Shops
from tests.faults.storm import Found
from tests.faults.trouble import Trouble
from tests.faults.users import Users, exposure, wronged
from tests.faults.writers import Writers, broken
from tests.faults.written import Written
from tests.simulation.rest import chained
from tests.simulation.watch.ghost import Broken, Ghost, InvariantBroken
from tests.simulation.watch.routes import Routes

SERVICES = ("cart", "checkout", "search", "stock")
WORKERS = ("w1", "w2")
RATES = (0.05, 0.15, 0.35, 0.7)
"""Of requests that are refused or lost, each for a while: under a third all the time hardly a release gets on."""
SPELL = (2.0, 8.0)
"""Seconds for which a rate lasts."""
RESTS_WITHIN, GONE_WITHIN = 240.0, 60.0
DEATHS = {"kill_worker": 4, "kill_workers": 1, "kill_api": 2}
"""kill -9 of a worker, of all at once, of the API; and how often each of them. They are started again."""
GAP = (4.0, 12.0)
"""Seconds between two deaths, beside those in which what died starts."""
EVERYTHING = 1_000_000


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
        users = Users(cluster, folder, {service: shops.host(service) for service in SERVICES})
        stack.callback(users.stop)
        writers = Writers(cluster, namespace, kubeconfig)
        stack.callback(writers.close)
        before = shops.objects()
        whole = Mortal(cluster, folder, Wanted(namespace, kubeconfig, url))
        stack.callback(whole.close)
        whole.start(WORKERS)
        ledger = SqlLedger(url, fold=fold)
        stack.callback(ledger.close)
        written = Written(cluster, namespace, ledger)
        stack.callback(written.close)
        shops.begin(whole)
        writers.begin()
        with _refusals(trouble):
            deaths = _storm(whole, time.monotonic() + seconds)
        writers.finish()
        if not shops.finish(RESTS_WITHIN):
            found.broken.append(f"invariant 2: not at rest within {RESTS_WITHIN:.0f} s")
        found.broken += _at_rest(shops, users, written, ledger, before)
        counts = users.stop()
        wait_until("the watch has seen it", written.at_its_end, GONE_WITHIN)
        found.broken += [*shops.failed, *written.failed, *_checked(written, ledger)]
        if not shops.happened["bad_taken_back_by_gates"]:
            found.broken.append("gates: none of the bad candidates was taken back by one")
        releases = [stored.release for stored in ledger.page(Filter(), EVERYTHING)]
        for service in SERVICES:
            exposed = exposure(written.stored, releases, service)
            found.broken += wronged(service, counts[service], shops.is_bad(service), exposed)
        found.broken += broken(written.raced, writers.tries)
    found.refused, found.ends, found.writes = trouble.refused, shops.ended, len(written.stored)
    found.happened = deaths + shops.happened + Counter(raced_writes=len(written.raced), requests=len(trouble.seen()))
    found.happened["users_requests"] = sum(one["answered"] for one in counts.values())
    found.seconds = time.monotonic() - begun
    return found


@contextmanager
def _refusals(trouble: Trouble) -> Iterator[None]:
    over, chance = threading.Event(), random.Random()

    def change() -> None:
        while not over.is_set():
            trouble.rate = chance.choice(RATES)
            over.wait(chance.uniform(*SPELL))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        trouble.rate = 0.0


def _storm(whole: Mortal, end: float) -> Counter[str]:
    """Deaths until then."""
    chance, happened = random.Random(), Counter[str]()
    names, weights = list(DEATHS), list(DEATHS.values())
    due = time.monotonic()
    while time.monotonic() < end:
        whole.check()
        time.sleep(0.5)
        if time.monotonic() < due:
            continue
        name = chance.choices(names, weights)[0]
        getattr(whole, name)()
        happened[name] += 1
        due = time.monotonic() + chance.uniform(*GAP)
    return happened


def _at_rest(shops: Shops, users: Users, written: Written, ledger: SqlLedger, before: set[str]) -> Iterator[str]:
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
        if row.target.stable and (answers := users.answered(service)) != {row.target.stable.version}:
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
    for stored in written.stored:
        entry = stored.entry
        try:
            if not stored.committed:
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
