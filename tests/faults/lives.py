"""Lives of our processes: the real worker, and an API's intake, over a real database and an outside elsewhere."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

from delivery.adapters.hints.broker import make_app
from delivery.adapters.hints.celery import CeleryHints
from delivery.adapters.hints.none import NoHints
from delivery.adapters.ids import UlidIds
from delivery.adapters.ledger.sql import SqlLedger
from delivery.adapters.slots import ThreadSlots
from delivery.catalog.freeze import frozen
from delivery.engine.book import Book
from delivery.engine.cluster import Cluster
from delivery.engine.inbox import Inbox
from delivery.engine.outbox import Outbox, Receivers
from delivery.engine.parts import Parts
from delivery.machine.evolve import fold
from delivery.model.ids import Micros, TargetId
from delivery.model.version import VersionRef
from delivery.ports.errors import Unavailable
from delivery.wiring.engine import drains
from tests.faults.mutants import MUTANTS
from tests.simulation.parts import Silent
from tests.simulation.services import CLUSTERS, parse_once, plan_of
from workers import run

LEASES = {"delivery.engine.drain.LEASE": 1_500_000, "delivery.engine.outbox.LEASE": 3_000_000}
"""A death costs a lease: with short ones far more of what follows a death is seen in a minute."""


@dataclass(frozen=True)
class Place:
    """What a life is told. `skew` is shared: how far the clocks of all are from the right time. `log`: where it tells
    what it met, which is a lot here.
    """

    url: str
    outside: str
    skew: Any
    log: str
    broker: str | None = None
    mutant: str | None = None


class SkewedClock:
    """Wall time that is set forward and back for all processes at once."""

    def __init__(self, skew: Any) -> None:
        self._skew = skew

    def now(self) -> Micros:
        return Micros(time.time_ns() // 1000 + self._skew.value)

    def monotonic(self) -> float:
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)


class Remote:
    """A port whose other side is outside. Each thread has a connection of its own."""

    def __init__(self, address: str, part: str, name: str = "") -> None:
        self._address, self._part, self._name = address, part, name
        self._local = threading.local()

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *arguments: self._ask("call", (self._part, self._name, method, arguments))

    def _ask(self, what: str, arguments: tuple[Any, ...]) -> Any:
        connection = getattr(self._local, "connection", None)
        try:
            if connection is None:
                connection = self._local.connection = Client(self._address, "AF_UNIX")
            connection.send((what, arguments))
            fine, result = connection.recv()
        except (EOFError, OSError) as error:
            self._local.connection = None
            raise Unavailable(f"nobody is outside: {error!r}") from error
        if not fine:
            raise result
        return result


class RemoteWorkloads(Remote):
    """`still` is asked here: it cannot go there."""

    def retire(self, target: TargetId, workload: Any, version: VersionRef, still: Callable[[], bool]) -> None:
        if still():
            self._ask("call", (self._part, self._name, "retire", (target, workload, version)))


class World:
    """Settings of the outside, for whoever plays it."""

    def __init__(self, address: str) -> None:
        self._remote = Remote(address, "")

    def __getattr__(self, what: str) -> Callable[..., Any]:
        return lambda *arguments: self._remote._ask(what, arguments)


class Nothing:
    """Nothing is old."""

    def run(self, limit: float, /) -> int:
        return 0


@dataclass(frozen=True)
class Life:
    """workers.engine.Engine, over these parts."""

    drains: Any
    outbox: Outbox
    ledger: Any
    rereaders: Any
    retention: Nothing


def parts_of(place: Place) -> Parts:
    """What one life of a process is made of."""
    clock = SkewedClock(place.skew)
    ledger: Any = SqlLedger(place.url, fold=fold, now=clock.now)
    if place.mutant is not None:
        ledger = MUTANTS[place.mutant].wrap(ledger, "ledger")
    clusters = {name: _cluster(place, name) for name in CLUSTERS}
    hints: Any = CeleryHints(make_app(place.broker)) if place.broker else NoHints()
    book = Book(ledger, clock, parse_once, plan_of, frozen)
    return Parts(ledger, clusters, book, clock, UlidIds(), hints, ThreadSlots(), Silent())


def _cluster(place: Place, name: str) -> Cluster:
    mesh: Any = Remote(place.outside, "meshes", name)
    workloads: Any = RemoteWorkloads(place.outside, "workloads", name)
    metrics: Any = Remote(place.outside, "metrics", name)
    return Cluster(name, mesh, workloads, metrics)


def worker(place: Place, name: str) -> None:
    """A worker, with its scan and with Celery where there is a broker, until it is killed."""
    _speak_into(place.log)
    with ExitStack() as stack:
        for target, micros in LEASES.items():
            stack.enter_context(patch(target, Micros(micros)))
        if place.mutant is not None:
            stack.enter_context(MUTANTS[place.mutant].patched())
        _work(place, name)


def _speak_into(log: str) -> None:
    """All that this process says goes there: the terminal is for the report."""
    with Path(log).open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _work(place: Place, name: str) -> None:
    parts = parts_of(place)
    chats: Any = {"memory": _Chat(place.outside)}
    ledger: Any = parts.ledger
    outbox = Outbox(ledger, ledger, Receivers(chats), parts.book, parts.clock, Silent(), parts.ids.owner())
    life = Life(drains(parts), outbox, ledger, {}, Nothing())
    if place.broker:
        run.with_broker(place.broker, CLUSTERS, life, name)
    else:
        run.without_broker(CLUSTERS, life, name)


class _Chat:
    def __init__(self, address: str) -> None:
        self._remote = Remote(address, "chat")

    def deliver(self, post: Any, noted: Any = None) -> None:
        self._remote.deliver(post)


def intake(place: Place, questions: Connection) -> None:
    """An API process as far as its engine goes: admits what it is sent, and answers."""
    _speak_into(place.log)
    inbox = Inbox(parts_of(place))
    while True:
        try:
            arrivals = questions.recv()
        except (EOFError, OSError):
            return  # whoever asked is gone
        try:
            result: Any = (True, inbox.accept(arrivals))
        except Exception as error:  # as an API answers 503 or 500
            result = (False, error)
        questions.send(result)
