"""Foreign editors, a pause, two workers of which one stands still, and an API server that fails: nothing is lost."""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kubernetes.client.exceptions import ApiException

from delivery.adapters.kube.objects import Document
from delivery.adapters.mesh.istio import stamps
from delivery.engine.drain import LEASE
from tests.cluster.front import Front
from tests.cluster.shop import NAME
from tests.cluster.steady import Stages, Steady, nothing_lost
from tests.cluster.testbed.api import Api, place
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.faults import Answer, Held, Lost, Script, Seen, Slow
from tests.cluster.testbed.process import wait_until
from tests.cluster.whole import Wanted, Whole
from tests.postgres import new_database

pytestmark = pytest.mark.timeout(600)

CANARY = "[canary: {steps: [20%, 50%], bake: 10s, min_requests: 50}]"
LEASE_SECONDS = LEASE / 1_000_000
ROUTES = "/virtualservices"
FOUGHT = ("drift_storm", "split_mismatch")


class Route:
    """A VirtualService of the shop as it is stored, watched: each version of it is kept, and fences may only rise."""

    def __init__(self, front: Front, name: str = NAME) -> None:
        self._api = Api(front.cluster.kubeconfig)
        self._path = f"{place(front.virtual_service())}/{name}"
        self._over = threading.Event()
        self.seen: list[Document] = []
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def read(self) -> Document:
        return self._api.get(self._path)

    def edit(self, change: Callable[[Document], object]) -> None:
        """As a careful person does it: again from the start where somebody else was faster."""
        while True:
            found = self.read()
            change(found)
            try:
                self._api.replace(found)
            except ApiException as error:
                if error.status != 409:
                    raise
            else:
                return

    def fences(self) -> list[tuple[int, int]]:
        """(epoch, desired traffic) of every version that carries ours."""
        written = (stamps.read(each, NAME) for each in self.seen)
        return [(one.stamp.epoch, one.stamp.dseq) for one in written if one is not None]

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._api.close()

    def _watch(self) -> None:
        last = ""
        while not self._over.wait(0.02):
            with contextlib.suppress(ApiException):
                found = self.read()
                if found["metadata"]["resourceVersion"] != last:
                    last = found["metadata"]["resourceVersion"]
                    self.seen.append(found)


@pytest.fixture
def route(front: Front) -> Iterator[Route]:
    route = Route(front)
    yield route
    route.close()


@contextlib.contextmanager
def every_second(act: Callable[[int], object]) -> Iterator[list[int]]:
    """Acts with 1, 2, 3 ... until the block ends; yields how often it did."""
    over, done, failed = threading.Event(), [0], []

    def run() -> None:
        while not over.wait(1.0):
            try:
                act(done[0] + 1)
            except Exception as error:
                failed.append(error)
                return
            done[0] += 1

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()
    assert failed == []


def rising(fences: list[tuple[int, int]]) -> None:
    """Nobody wrote with a fence that was already behind."""
    assert fences == sorted(fences), fences


def types(whole: Whole, release: str) -> list[str]:
    return [event["type"] for event in whole.events(release)]


def test_a_foreign_editor_every_second_loses_nothing_and_breaks_nothing(
    whole: Whole, front: Front, load: Steady, route: Route
) -> None:
    """It keeps a note, a route of its own and a timeout on ours; at first it takes weight from the candidate too."""
    rude = threading.Event()
    rude.set()

    def edit(number: int) -> None:
        def change(found: Document) -> None:
            found["metadata"].setdefault("annotations", {})["owner/note"] = str(number)
            http = [entry for entry in found["spec"]["http"] if entry.get("name") != "foreign"]
            own = {"name": "foreign", "match": [{"uri": {"exact": "/foreign"}}]}
            found["spec"]["http"] = [own | {"directResponse": {"status": 418}, "timeout": f"{number}s"}, *http]
            main = main_of(found)
            main["timeout"] = f"{10 + number}s"
            if rude.is_set() and weight(found):
                main["route"][0]["weight"], main["route"][1]["weight"] = 99, 1

        route.edit(change)

    whole.apply(NAME, front.service_file(CANARY))
    release = whole.start_release("1.4.2")
    stages = Stages(whole, release)

    def held() -> bool:
        return any(hold["kind"] == "drift_storm" for hold in stages.now["holds"])

    with every_second(edit) as edits:
        stages.until("that somebody fights for the route is told, and nothing rises", held, 90)
        rude.clear()

        def calm() -> bool:
            """Once the editor lets go a person resumes it: what the fight left behind, by name."""
            holds = [hold["kind"] for hold in stages.now["holds"] if hold["kind"] in FOUGHT]
            if holds and not stages.now["finished_at"]:
                whole.say(release, "resume", holds=holds)
            return bool(stages.now["finished_at"])

        stages.until("the release is over", calm, 180)
        assert stages.now["state"] == "promoted", stages.now["text"]
    last = route.read()
    assert last["metadata"]["annotations"]["owner/note"] == str(edits[0])
    foreign = {entry.get("name"): entry for entry in last["spec"]["http"]}["foreign"]
    assert foreign["timeout"] == f"{edits[0]}s"
    assert main_of(last)["timeout"] == f"{10 + edits[0]}s"
    assert main_of(last)["retries"] == {"attempts": 0}
    assert edits[0] >= 15
    assert types(whole, release).count("drift_corrected") >= 3
    rising(route.fences())
    nothing_lost(load.stop())


def test_a_pause_by_annotation_writes_nothing_until_it_is_gone(
    whole: Whole, front: Front, load: Steady, route: Route
) -> None:
    whole.apply(NAME, front.service_file("[canary: {steps: [20%, 50%], bake: 4s, min_requests: 50}]"))
    release = whole.start_release("1.4.2")
    stages = Stages(whole, release)
    stages.until_baking(20)

    def pause(found: Document) -> None:
        found["metadata"].setdefault("annotations", {})[stamps.PAUSE] = "incident 7"

    route.edit(pause)
    held = route.read()
    stages.until("it shows", lambda: "incident 7" in str(whole.get(f"/v1/services/{NAME}")["targets"][0]["paused"]), 30)
    answer = whole.say(release, "abort")
    assert answer["effect"] == "waiting", answer
    assert "nothing is written now" in answer["text"]
    until = time.monotonic() + 8
    while time.monotonic() < until:
        stages.look()
        assert route.read() == held
    assert "incident 7" in str(whole.get(f"/v1/releases/{release}/explain"))
    route.edit(lambda found: found["metadata"]["annotations"].pop(stamps.PAUSE))
    assert stages.until_over() == "rolled_back"
    assert "mesh_failing" not in types(whole, release)
    assert whole.get(f"/v1/services/{NAME}")["targets"][0]["paused"] is None
    assert front.versions() == {"1.4.1"}
    nothing_lost(load.stop())


@pytest.fixture
def crowd(cluster: Cluster, namespace: str, tmp_path: Path, postgres_server: str) -> Iterator[Whole]:
    """The whole service on PostgreSQL, without a worker yet."""
    with new_database(postgres_server) as url:
        whole = Whole(cluster, tmp_path, Wanted(namespace, database=url))
        try:
            whole.start(workers=())
            yield whole
        finally:
            for worker in whole.workers.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGCONT)
            whole.close()


def test_a_worker_that_stood_still_past_its_lease_changes_nothing_any_more(
    cluster: Cluster, crowd: Whole, front: Front, load: Steady, route: Route
) -> None:
    """w1 decides on a write and is stopped; the write itself is on its way, and comes when w2 has written since."""
    let_go = threading.Event()
    with cluster.faults() as (proxy, kubeconfig):
        crowd.start_worker("w1", kubeconfig)
        crowd.apply(NAME, front.service_file(CANARY))
        release = crowd.start_release("1.4.2")
        stages = Stages(crowd, release)
        stages.until_baking(20)
        mark = proxy.script.mark()
        proxy.script.add(Held(let_go), "PUT", ROUTES, times=1)

        def late() -> list[Seen]:
            return [one for one in proxy.script.seen(mark) if one.verb == "PUT" and ROUTES in one.path]

        stages.until("w1 writes", late, 90)
        os.kill(crowd.workers["w1"].pid, signal.SIGSTOP)
        fence = route.fences()[-1]
        crowd.start_worker("w2")
        stages.until("w2 has written", lambda: route.fences()[-1] > fence, 90)
        let_go.set()
        wait_until("the late write has its answer", lambda: late()[0].status != 0, 30)
        assert late()[0].status == 409
        os.kill(crowd.workers["w1"].pid, signal.SIGCONT)
        assert stages.until_over() == "promoted", stages.now["text"]
    rising(route.fences())
    nothing_lost(load.stop())
    assert front.versions() == {"1.4.2"}


def test_two_workers_that_stand_still_in_turn_bring_a_release_to_its_end(
    crowd: Whole, front: Front, load: Steady, route: Route
) -> None:
    for name in ("w1", "w2"):
        crowd.start_worker(name)
    crowd.apply(NAME, front.service_file(CANARY))
    release = crowd.start_release("1.4.2")
    stages = Stages(crowd, release)
    names, stopped = ["w1", "w2"], ["w2"]
    turn = [time.monotonic()]
    os.kill(crowd.workers["w2"].pid, signal.SIGSTOP)

    def swap() -> bool:
        """Whoever runs is stopped in the middle of whatever it does, past its lease; the other wakes up."""
        if time.monotonic() - turn[0] >= LEASE_SECONDS + 2:
            turn[0] = time.monotonic()
            os.kill(crowd.workers[stopped[0]].pid, signal.SIGCONT)
            stopped[0] = next(name for name in names if name != stopped[0])
            os.kill(crowd.workers[stopped[0]].pid, signal.SIGSTOP)
        return bool(stages.now["finished_at"])

    stages.until("it is over", swap, 240)
    assert stages.now["state"] == "promoted", stages.now["text"]
    rising(route.fences())
    nothing_lost(load.stop())


FAULTS = (
    (Answer(409), "PUT", ROUTES),
    (Answer(429, retry_after=1), "", ""),
    (Answer(500), "", ""),
    (Lost(applied=False), "", ""),
    (Lost(applied=True), "PUT", ROUTES),
    (Lost(applied=True), "(POST|PATCH|PUT)", ""),
    (Lost(applied=False, hold=7), "PUT", ROUTES),
    (Lost(applied=True, hold=7), "PUT", ROUTES),
    (Slow(2), "", ""),
)


@pytest.mark.parametrize("seed", [1, 2])
def test_an_api_server_that_fails_in_every_way_delays_a_release_and_breaks_nothing(
    cluster: Cluster, namespace: str, tmp_path: Path, front: Front, load: Steady, route: Route, seed: int
) -> None:
    """For 45 s, every three seconds, another fault for the next few calls that fit it."""
    chance = random.Random(seed)
    with cluster.faults() as (proxy, kubeconfig):
        whole = Whole(cluster, tmp_path, Wanted(namespace, kubeconfig=kubeconfig))
        try:
            whole.start()
            whole.apply(NAME, front.service_file(CANARY))
            stages = Stages(whole, whole.start_release("1.4.2"))
            with every_second(lambda number: _fail(proxy.script, chance, number)):
                assert stages.until_over(240) == "promoted", stages.now["text"]
            proxy.script.clear()
        finally:
            whole.close()
    rising(route.fences())
    shares = {weight(each) for each in route.seen}
    assert shares <= {0, 20, 50, 100}, shares
    nothing_lost(load.stop())
    assert front.versions() == {"1.4.2"}


def _fail(script: Script, chance: random.Random, number: int) -> None:
    if number % 3:
        return
    script.clear()
    if number <= 45:
        fault, verb, path = chance.choice(FAULTS)
        for each in verb.strip("()").split("|"):
            script.add(fault, each, path, times=chance.randint(1, 4))


def main_of(document: Document) -> Document:
    """The owners' route."""
    return next(entry for entry in document["spec"]["http"] if entry.get("name") == "main")


def weight(document: Document) -> int:
    """The candidate's share of what users send."""
    written = stamps.read(document, NAME)
    if written is None or written.candidate is None:
        return 0
    shares = {one["destination"]["host"]: one.get("weight", 100) for one in main_of(document)["route"]}
    return int(shares.get(written.candidate.partition("|")[0], 0))
