"""Several services of one namespace, as a chart leaves them: released again and again, then asked what is left."""

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import Document, path
from tests.cluster import shop, wire
from tests.cluster.front import Front
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.process import wait_until
from tests.cluster.whole import CLUSTER, Json, Whole

KINDS = (("apps/v1", "Deployment"), ("v1", "Service"))
ABORTED = 0.25
"""The share of releases that somebody does not want after all."""
LEFT_ALONE = ("stragglers", "mesh_failing", "no_data")
"""Holds that people wait out: nobody lets a candidate on of which nothing is known."""
LOOK = 0.3
OPENS_WITHIN = 90.0
FILE = """\
service: {service}
cluster: {cluster}
namespace: {namespace}
workload: {{deployment: {service}, rollback_window: 1s, appear_within: 3m}}
tick: 1s
strategies: [canary: {{steps: [30%, 60%], bake: 3s, min_requests: 20}}]
gates:
  errors: {{ratio: http_errors, worse_than: 1.1, floor: 0.1%, objective: 5%, min_requests: 20, dispersion: 1}}
"""
FAILS = "fail-every=3"
NUMBERS = range(1, 200)


class Shops:
    """Every second release of each service has a bad candidate, of which every third answer is an error.

    `ended` counts the states in which releases ended; `failed` has what went wrong in CI and with people, bad
    candidates that were promoted, and good ones that gates took back.
    """

    def __init__(self, cluster: Cluster, namespace: str, services: Sequence[str]) -> None:
        self.cluster, self.namespace, self.services = cluster, namespace, services
        self.ended: Counter[str] = Counter()
        self.happened: Counter[str] = Counter()
        self.failed: list[str] = []
        self._kube = Kube(str(cluster.kubeconfig))
        self._random = random.Random()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def open(self) -> None:
        """Returns when the first versions answer users."""
        front = Front(self.cluster, self.namespace)
        for service in self.services:
            for body in (self._deployment(service), shop.service(self.namespace), front.virtual_service()):
                self.cluster.api.create(self._called(body, service))
        front.kube.close()
        for service in self.services:
            wait_until(f"{service} answers", partial(self._is_open, service), OPENS_WITHIN, self.cluster.check)

    def begin(self, whole: Whole) -> None:
        """From now on each service has a release, one after the other."""
        for service in self.services:
            whole.apply(service, FILE.format(service=service, cluster=CLUSTER, namespace=self.namespace))
            self._threads.append(threading.Thread(target=self._told, args=(whole, service), daemon=True))
            self._threads[-1].start()

    def finish(self, seconds: float) -> bool:
        """Nothing new comes; whether what runs ended in time."""
        self._over.set()
        for thread in self._threads:
            thread.join(seconds)
        return not any(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        self._over.set()
        self._kube.close()

    def host(self, service: str) -> str:
        return f"{service}.{self.namespace}.example.com"

    def is_bad(self, service: str) -> Callable[[str], bool]:
        """Whether a version of it fails."""
        bad = set(self._bad(service))
        return lambda version: version in bad

    def objects(self) -> set[str]:
        """The names of all that releases make, and should take away."""
        return {
            f"{kind} {one['metadata']['name']}"
            for version, kind in KINDS
            for one in self._kube.get(path(version, kind, self.namespace))["items"]
        }

    def _told(self, whole: Whole, service: str) -> None:
        try:
            number = 0
            while not self._over.is_set():
                number += 1
                self._release(whole, service, f"2.{number}.0")
        except Exception as error:
            self.failed.append(f"{service}: {error!r}")
            raise

    def _release(self, whole: Whole, service: str, version: str) -> None:
        release, bad = whole.start_release(version, service), self.is_bad(service)(version)
        aborted = not bad and self._random.random() < ABORTED
        while not (now := whole.release(release))["finished_at"]:
            if aborted and self._random.random() < LOOK / 3:
                aborted = False
                with suppress(AssertionError):  # it may have ended meanwhile
                    whole.say(release, "abort")
            holds = [hold["kind"] for hold in now["holds"] if hold["kind"] not in LEFT_ALONE]
            if holds:
                with suppress(AssertionError):  # as people do who see one in a list that is a moment old
                    whole.say(release, "resume", holds=holds)
            threading.Event().wait(LOOK)
        self._over_with(service, version, now)

    def _over_with(self, service: str, version: str, now: Json) -> None:
        state, bad = str(now["state"]), self.is_bad(service)(version)
        by_gate = (now["cause"] or {}).get("type") == "gate_failed"
        self.ended[state] += 1
        self.happened["ended_in_the_storm"] += not self._over.is_set()
        self.happened["bad_candidates"] += bad
        self.happened["bad_taken_back_by_gates"] += bad and by_gate
        if bad and state == "promoted":
            self.failed.append(f"gates: {version} of {service} is bad and was promoted: {now['text']}")
        if by_gate and not bad:
            self.failed.append(f"gates: {version} of {service} is good and was taken back: {now['cause']}")

    def _is_open(self, service: str) -> bool:
        return set(wire.send(self.cluster, self.host(service), 10)) == {shop.OLD.version}

    def _deployment(self, service: str) -> Document:
        """Its pods serve until the proxies have let go of them, also where those take their time."""
        found = shop.deployment(self.namespace, 1, {"linger": "6"}, shop.OLD)
        faults = ";".join(f"{version}:{FAILS}" for version in self._bad(service))
        found["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "FAULTS", "value": faults}]
        return found

    def _bad(self, service: str) -> list[str]:
        first = self.services.index(service) % 2
        return [f"2.{number}.0" for number in NUMBERS if number % 2 == first]

    def _called(self, body: Document, service: str) -> Document:
        """The same object of a service of another name."""
        text = json.dumps(body).replace(f"{self.namespace}.example.com", self.host(service))
        found: Document = json.loads(text.replace(shop.NAME, service))
        return found
