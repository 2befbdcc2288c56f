"""On the testbed of the cluster tests, with istiod's own debounce: what a release asks of the Kubernetes API, and how
long the way back takes until the gateway's Envoy sends the candidate nothing.

The workers reach the API server through a proxy that counts. Watches are counted when they begin: one lasts minutes.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure
from benchmarks.say import Say
from tests.cluster.front import Front
from tests.cluster.objects import fqdn
from tests.cluster.shop import NAME
from tests.cluster.steady import Steady
from tests.cluster.testbed.cluster import Cluster, running
from tests.cluster.testbed.fault_proxy import FaultProxy
from tests.cluster.testbed.process import wait_until
from tests.cluster.whole import Wanted, Whole

DEBOUNCE, TICK = "100ms", "15s"  # the defaults of istiod and of service files
SPACE = "bench"
ABORTS = 40
STEPS = tuple(range(15, 100, 15))
MINUTES = 2
RATE = 100.0
LOOK, WITHIN = 0.003, 90.0
_ASKS = ", ".join(f"{step}%" for step in (*STEPS, 100))
LONG = "[canary: {steps: [50%], bake: 2h, min_requests: 0, gates: []}]"
STEPPED = (
    f"[canary: {{steps: [{', '.join(f'{step}%' for step in STEPS)}], bake: 15s, min_requests: 0, gates: [], "
    f"approval: {{before: [{_ASKS}], count: 1}}}}]"
)


def measure(say: Say) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, _scene(Path(folder), say) as bench:
        aborts = bench.aborts(say)
        changes = bench.changes()
        waiting, idle = bench.minutes()
    return [
        Figure("istio: abort to gateway at 0, debounce 100 ms", "s", tuple(aborts)),
        Figure("istio: API requests, a stage change to its proof", "", *_totals(changes)),
        Figure(f"istio: API requests, a minute of a release that waits, tick {TICK}", "", *_totals(waiting)),
        Figure("istio: API requests, a minute without a release", "", *_totals(idle)),
    ]


@contextmanager
def _scene(folder: Path, say: Say) -> "Iterator[_Bench]":
    """The testbed, the whole service through the counting proxy, a shop, and users."""
    places = folder / "cluster", folder / "service"
    for place in places:
        place.mkdir()
    with running(places[0], DEBOUNCE) as cluster, cluster.faults() as (proxy, kubeconfig):
        cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
        front = Front(cluster, SPACE)
        front.open()
        say("the testbed is ready")
        whole = Whole(cluster, places[1], Wanted(SPACE, kubeconfig))
        load = Steady(cluster, folder, front.host, RATE)
        try:
            whole.start()
            yield _Bench(cluster, front, whole, proxy)
        finally:
            load.stop()
            whole.close()


class _Bench:
    def __init__(self, cluster: Cluster, front: Front, whole: Whole, proxy: FaultProxy) -> None:
        self._cluster = cluster
        self._front = front
        self._whole = whole
        self._script = proxy.script
        self._release = ""

    def aborts(self, say: Say) -> list[float]:
        """Seconds from each request to abort to the gateway's own answer that the candidate gets nothing."""
        self._whole.apply(NAME, self._front.service_file(LONG))
        return [self._aborted(f"2.0.{number}", say) for number in range(ABORTS)]

    def _aborted(self, version: str, say: Say) -> float:
        release = self._whole.start_release(version)
        self._until(release, f"{version} gets half", lambda _: self._exposed() == 50)
        begun = time.monotonic()
        self._whole.say(release, "abort")
        while self._exposed():
            time.sleep(LOOK)
        seconds = time.monotonic() - begun
        say(f"{version}: at 0 after {seconds:.3f} s")
        self._until(release, f"{version} is over", lambda now: bool(now["finished_at"]))
        return seconds

    def changes(self) -> list[Counter[tuple[str, str]]]:
        """What is asked from each approval to the proof of the stage that it guards."""
        self._whole.apply(NAME, self._front.service_file(STEPPED, tick=TICK))
        self._release = self._whole.start_release("3.0.0")
        self._waits()
        found = []
        for step in STEPS[:-1]:
            mark = self._script.mark()
            self._whole.say(self._release, "approve")
            self._until(self._release, f"{step} %", lambda now, step=step: _proven(now) == step)
            found.append(self._script.counts(mark))
            self._waits()
        return found

    def minutes(self) -> tuple[list[Counter[tuple[str, str]]], list[Counter[tuple[str, str]]]]:
        """What is asked while the release waits for a person, and when it is over and cleared away."""
        waiting = [self._minute() for _ in range(MINUTES)]
        self._whole.say(self._release, "abort")
        self._until(self._release, "it is over", lambda now: bool(now["finished_at"]))
        self._minute()
        return waiting, [self._minute() for _ in range(MINUTES)]

    def _minute(self) -> Counter[tuple[str, str]]:
        mark = self._script.mark()
        time.sleep(60)
        return self._script.counts(mark)

    def _waits(self) -> None:
        self._until(self._release, "it waits for approval", lambda now: "approve" in now["actions"])

    def _until(self, release: str, what: str, enough: Any) -> None:
        wait_until(what, lambda: enough(self._whole.release(release)), WITHIN, self._whole.check)

    def _exposed(self) -> int:
        """The share of the route that does not go home."""
        home = f"outbound|80||{fqdn(NAME, SPACE)}"
        found = self._cluster.gateway.weights("main")
        return sum(weight for name, weight in found.items() if name != home)


def _proven(release: Mapping[str, Any]) -> int:
    """The highest share that is proven and being measured."""
    proven = (stage["split"]["desired"] for stage in release["stages"] if stage["state"] in ("baking", "passed"))
    return max(proven, default=0)


def _totals(counts: list[Counter[tuple[str, str]]]) -> tuple[tuple[float, ...], None, str]:
    """Values, no goal, and what was asked most."""
    summed: Counter[str] = Counter()
    for each in counts:
        summed.update({f"{verb} {kind}": number for (verb, kind), number in each.items()})
    most = ", ".join(f"{name} {number / len(counts):.1f}" for name, number in summed.most_common(4))
    return tuple(float(each.total()) for each in counts), None, most
