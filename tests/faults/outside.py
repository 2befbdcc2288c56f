"""What is outside of our processes, in a process of its own that nobody kills: meshes, workloads, counters, a chat.

The simulation's own parts, by the real clock, answering over a socket. A caller that is killed in the middle of a call
leaves it made: nobody knows, as with any API.
"""

import random
import threading
import time
from collections import Counter
from multiprocessing.connection import Connection, Listener
from typing import Any

from delivery.adapters.ledger.sql import SqlLedger
from delivery.adapters.mesh.memory import Entry
from delivery.machine.evolve import fold
from delivery.model.ids import TargetId
from delivery.model.version import VersionRef
from delivery.ports.errors import Conflict, Unavailable
from tests.simulation.parts import SimChat, SimMesh, SimMetrics
from tests.simulation.services import BETA_SHARE, CLUSTERS
from tests.simulation.workloads import SimWorkloads

PROXIES = 2
Written = tuple[Entry, tuple[tuple[str, Entry], ...], bool]
"""A write that was stored, what proxies ran of that target before, and whether what it rests on was committed then."""
ANSWERS = ("409", "429", "500", "timeout")


class RealTime:
    """The machine's clock, where the simulation has its scheduler's."""

    def __init__(self) -> None:
        self.random = random.Random()

    @property
    def monotonic(self) -> int:
        return time.monotonic_ns() // 1000

    @property
    def now(self) -> int:
        return time.time_ns() // 1000

    def sleep(self, micros: int) -> None:
        time.sleep(micros / 1_000_000)


class Outside:
    """`rate`: the share of calls to a mesh that fail before or after they are applied; `refused` counts them."""

    def __init__(self, url: str) -> None:
        self.time = RealTime()
        self._ledger = SqlLedger(url, fold=fold)
        self.rate = 0.0
        self.refused: Counter[str] = Counter()
        self.writes: list[Written] = []
        self.chat = SimChat()
        self.meshes = {name: SimMesh(name, PROXIES) for name in CLUSTERS}
        clock: Any = self.time
        self.workloads = {name: SimWorkloads(clock, takes=50_000) for name in CLUSTERS}
        self.metrics = {name: SimMetrics(clock, self._live_shares, _error_rate) for name in CLUSTERS}
        self._lock = threading.RLock()
        for mesh in self.meshes.values():
            mesh.watch = self._written

    def call(self, part: str, name: str, method: str, arguments: tuple[Any, ...]) -> Any:
        """One call of a port from one of our processes."""
        port = getattr(self, part)
        port = port[name] if name else port
        fails = self.time.random.random() < self.rate if part == "meshes" else False
        after = fails and self.time.random.random() < 0.5
        if fails and not after:
            self._refuse(method, "before")
        with self._lock:
            result = getattr(port, method)(*arguments)
        if after:
            self._refuse(method, "after")
        return result

    def play(self, part: str, name: str, attribute: str, value: Any) -> None:
        """Something of the world changes."""
        with self._lock:
            setattr(getattr(self, part)[name] if name else getattr(self, part), attribute, value)

    def set_rate(self, rate: float) -> None:
        self.rate = rate

    def told(self) -> dict[str, Any]:
        """All that is looked at in the end."""
        with self._lock:
            return {
                "writes": tuple(self.writes),
                "posts": dict(self.chat.posts),
                "refused": Counter(self.refused),
                "proven": {key for mesh in self.meshes.values() for key in mesh.proven},
                "stored": {name: dict(mesh._routes) for name, mesh in self.meshes.items()},
                "proxies": {
                    name: {proxy: dict(runs.routes) for proxy, runs in mesh.proxies.items()}
                    for name, mesh in self.meshes.items()
                },
            }

    def _refuse(self, method: str, when: str) -> None:
        answer = self.time.random.choice(ANSWERS if when == "before" else ANSWERS[2:])
        self.refused[f"{answer} {when} {method}"] += 1
        if answer == "409" and method == "write":
            raise Conflict("409: somebody else wrote it")
        raise Unavailable(f"{answer} {when} {method}")

    def _written(self, mesh: SimMesh, entry: Entry) -> None:
        target = entry.route.target
        running = tuple((name, one) for name, one, _ in mesh.running() if one.route.target == target)
        self.writes.append((entry, running, self._committed(entry)))

    def _committed(self, entry: Entry) -> bool:
        """Whether the decision that this write follows from is stored; so it seems while the database is away."""
        if entry.stamp is None or entry.stamp.dseq == 0:
            return True
        try:
            return self._ledger.head_at(entry.stamp.release, entry.stamp.dseq) is not None
        except Unavailable:
            return True

    def _live_shares(self, target: TargetId) -> tuple[int, int]:
        mesh = self.meshes[target.partition("@")[2]]
        traffic = mesh.traffic(target, next(iter(mesh.proxies)))
        if traffic is None:
            return 0, 0
        weight = BETA_SHARE if traffic.rules and not traffic.weight else traffic.weight
        return weight, traffic.baseline or 0


def serve(address: str, url: str) -> None:
    """Answers until it is ended. It looks into the database at each write: has what it rests on been committed?"""
    outside = Outside(url)
    with Listener(address, "AF_UNIX") as listener:
        while True:
            threading.Thread(target=_answer, args=(outside, listener.accept()), daemon=True).start()


def _answer(outside: Outside, connection: Connection) -> None:
    while True:
        try:
            what, arguments = connection.recv()
        except (EOFError, OSError):
            return
        try:
            result: Any = (True, getattr(outside, what)(*arguments))
        except Exception as error:  # the caller's to handle
            result = (False, error)
        try:
            connection.send(result)
        except OSError:
            return  # its caller was killed meanwhile: the call was made all the same


def _error_rate(version: VersionRef) -> float:
    return 0.4 if version.version.startswith("bad") else 0.001
