"""Real processes over a real database: started, killed, frozen, and looked at with the simulation's own eyes."""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from delivery.adapters.ledger.sql import SqlLedger, upgrade
from delivery.engine.answer import Answer, Arrival
from delivery.machine.evolve import fold
from delivery.model.ids import Principal, TargetId
from delivery.model.target import Target
from delivery.model.traffic import Traffic
from delivery.ports.errors import Unavailable
from delivery.ports.rows import Row, ServiceRecord
from tests.faults import lives
from tests.faults.lives import Place, SkewedClock
from tests.faults.outside import RealTime, serve
from tests.integration.worker_parts import wait_for
from tests.simulation import services

WORKERS = 3
SERVICES = ("queueing", "superseding", "switching", "asking", "withdrawing")
ANSWERS_WITHIN = 15.0
"""Seconds after which an API that does not answer is taken for dead, and is killed."""
TRIES = 200


class Patient:
    """The ledger as a test looks at it: it asks again while the database is away."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)

        def call(*arguments: Any, **more: Any) -> Any:
            for _ in range(TRIES):
                with suppress(Unavailable):
                    return method(*arguments, **more)
                time.sleep(0.1)
            return method(*arguments, **more)

        return call


class Api:
    """API processes, one after the other. A question that is not answered raises Unavailable, as a client sees it."""

    def __init__(self, world: "RealWorld", number: int) -> None:
        self._world, self._name = world, f"api-{number}"
        self.process: Any = None
        self._pipe: Connection | None = None

    def accept(self, arrivals: list[Arrival]) -> tuple[Answer, ...]:
        if self.process is None or not self.process.is_alive():
            self._start()
        pipe = self._pipe
        assert pipe is not None
        try:
            pipe.send(arrivals)
            if not pipe.poll(ANSWERS_WITHIN):
                self.process.kill()
                raise Unavailable(f"{self._name} did not answer")
            fine, result = pipe.recv()
        except (EOFError, OSError) as error:
            raise Unavailable(f"{self._name} died") from error
        if not fine:
            raise result
        answers: tuple[Answer, ...] = result
        return answers

    def _start(self) -> None:
        if self.process is not None:
            self.process.join()
        self._pipe, theirs = multiprocessing.Pipe()
        self.process = self._world.start(lives.intake, self._world.place, theirs)
        theirs.close()


class Mesh:
    """What was stored and what proxies ran when everything was over."""

    def __init__(self, told: dict[str, Any], cluster: str) -> None:
        self._stored, self._proxies = told["stored"][cluster], told["proxies"][cluster]
        self.proxies = tuple(self._proxies)

    def stored(self, target: TargetId) -> Any:
        return self._stored.get(target)

    def traffic(self, target: TargetId, proxy: str | None = None) -> Traffic | None:
        entry = (self._proxies[proxy] if proxy else self._stored).get(target)
        return entry.route.traffic if entry else None


class RealWorld:
    """What `People` and `at_rest` of the simulation need of a world, made of processes.

    `furthest`: the most that clocks were ever ahead, in microseconds.
    """

    def __init__(self, directory: Path, url: str, broker: str | None = None, mutant: str | None = None) -> None:
        upgrade(url)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.faults.lives", "tests.faults.outside"])
        skew = self._context.Value("q", 0, lock=False)
        self.place = Place(url, str(directory / "outside"), skew, str(directory / "log"), broker, mutant)
        self.scheduler, self.random = RealTime(), random.Random()
        self.happened: Counter[str] = Counter()
        self.quiet = self.lossy = False
        self.furthest = 0
        self.clock = SkewedClock(skew)
        self.ledger: Any = Patient(SqlLedger(url, fold=fold, now=self.clock.now))
        self.services = SERVICES
        self.targets = [self._serve(target) for target in services.targets(SERVICES)]
        self._outside = self.start(serve, self.place.outside, url)
        self.outside = lives.World(self.place.outside)
        wait_for(Path(self.place.outside).exists, "the outside answers")
        self.workers: dict[str, Any] = {}
        self.apis: list[Api] = []
        self.workloads: dict[str, Any] = {name: _Homeless() for name in services.CLUSTERS}
        self.told: dict[str, Any] = {}

    def _serve(self, target: TargetId) -> TargetId:
        name, _, cluster = target.partition("@")
        if self.ledger.service(name) is None:
            document = services.document(name)
            self.ledger.put_service(
                ServiceRecord(name, document, f"digest-{name}", 1, self.clock.now(), Principal("owner"))
            )
        self.ledger.create_target(Row(Target(target, name, cluster)))
        return target

    def start(self, body: Any, *arguments: Any) -> Any:
        process = self._context.Process(target=body, args=arguments, daemon=True)
        process.start()
        return process

    # What happens to processes.

    def work(self) -> None:
        """Starts workers that are not there."""
        for number in range(WORKERS):
            name = f"worker-{number}"
            found = self.workers.get(name)
            if found is None or not found.is_alive():
                if found is not None:
                    found.join()
                self.workers[name] = self.start(lives.worker, self.place, name)

    def mend(self) -> None:
        """Nothing goes wrong any more; clocks are not before any time that was ever told."""
        self.quiet = True
        self.place.skew.value = self.furthest
        self.outside.set_rate(0.0)

    def inbox(self) -> Api:
        api = Api(self, len(self.apis))
        self.apis.append(api)
        return api

    def kill_worker(self) -> None:
        self._kill(self.random.choice(list(self.workers.values())))
        self.work()

    def kill_api(self) -> None:
        alive = [api.process for api in self.apis if api.process is not None and api.process.is_alive()]
        if alive:
            self._kill(self.random.choice(alive))

    def freeze_worker(self, seconds: float) -> None:
        """SIGSTOP for longer than a lease; then it goes on, and finds that it holds nothing."""
        process = self.random.choice(list(self.workers.values()))
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(process.pid, signal.SIGCONT)

    def _kill(self, process: Any) -> None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.join()

    def end(self) -> None:
        """Ends all that was started here."""
        for process in [*self.workers.values(), *(api.process for api in self.apis if api.process)]:
            self._kill(process)
        self._kill(self._outside)
        self.ledger._ledger.close()

    # What the simulation's people and invariants ask.

    def row(self, target: TargetId) -> Row:
        found: Row = next(row for row in self.ledger.rows(target.partition("@")[0]) if row.target.id == target)
        return found

    def mesh_of(self, target: TargetId) -> Mesh:
        return Mesh(self.told, target.partition("@")[2])

    @property
    def watch(self) -> "RealWorld":
        return self

    @property
    def ghost(self) -> "RealWorld":
        return self

    @property
    def chat(self) -> "RealWorld":
        return self

    @property
    def posts(self) -> Any:
        return self.told["posts"]

    @property
    def mishaps(self) -> int:
        return sum(self.happened.values()) + sum(self.told["refused"].values())


class _Homeless:
    """No owners' workloads."""

    def __init__(self) -> None:
        self.homes: dict[TargetId, Any] = {}
