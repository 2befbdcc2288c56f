"""Several adapters that write one route against each other: each write over what was read, once, or not at all."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import count, pairwise
from pathlib import Path

from delivery.adapters.mesh.istio.adapter import IstioMesh
from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.adapters.mesh.istio.proxies import Fixed
from delivery.model.traffic import Traffic
from delivery.ports.errors import Conflict, Unavailable
from delivery.ports.mesh import Stamp
from delivery.sandbox.ports import HOST
from delivery.testing.contracts.mesh_values import RELEASE
from tests.cluster.istio_world import IstioWorld
from tests.cluster.testbed.cluster import Cluster

RACED = "raced"
"""What the route's service is called: nobody else writes it."""
HANDS = 5


class Outcome(StrEnum):
    DONE = "done"
    CONFLICT = "conflict"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Try:
    """A write that expected this revision, and what its caller was told."""

    expected: str
    outcome: Outcome


class Writers:
    """`tries` by the number that each left on the route."""

    def __init__(self, cluster: Cluster, namespace: str, kubeconfig: Path) -> None:
        self._world = IstioWorld(cluster, namespace, Istiods(Fixed((f"{HOST}:{cluster.istiod.debug}",))))
        self._case = self._world.declare(RACED)
        self.tries: dict[int, Try] = {}
        self._numbers = count(self._case.seq + 2)
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(self._world.connect(kubeconfig=kubeconfig),), daemon=True)
            for _ in range(HANDS)
        ]

    def begin(self) -> None:
        self._case.write(Traffic())
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        self._over.set()
        self._world.close()

    def _write(self, mesh: IstioMesh) -> None:
        case = self._case
        while not self._over.is_set():
            with suppress(Unavailable):
                revision = mesh.read(case.target).revision
                number = next(self._numbers)
                outcome = Outcome.UNKNOWN
                try:
                    stamp = Stamp(case.epoch, RELEASE, number, number, f"head-{number}")
                    mesh.write(case.route(Traffic(weight=number % 100)), stamp, revision)
                    outcome = Outcome.DONE
                except Conflict:
                    outcome = Outcome.CONFLICT
                finally:
                    self.tries[number] = Try(revision, outcome)


def broken(history: Sequence[tuple[str, int]], tries: Mapping[int, Try]) -> list[str]:
    """`history`: revisions of the route, in their order, each with the number of the write that it is from."""
    found, numbers = [], [number for _, number in history]
    for (before, _), (_, number) in pairwise(history):
        if number in tries and tries[number].expected != before:
            found.append(f"lost update: {number} expected {tries[number].expected} and is stored over {before}")
    for number, one in tries.items():
        stored = numbers.count(number)
        if stored > 1 or (stored != 1 and one.outcome is Outcome.DONE) or (stored and one.outcome is Outcome.CONFLICT):
            found.append(f"a write that was told {one.outcome} is stored {stored} times: {number}")
    return found
