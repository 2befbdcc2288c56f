"""Drains: ticks a second of releases in bake, beside an empty step through the same ledger.

A tick is a whole turn of a target: claimed, loaded, stepped, its route and workloads looked at, both versions' counters
read, two gates fed, stepped again, committed. The empty step is a claim and a commit of units that change a due time
and nothing else. More is due than can be done, so that batches are full.
"""

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.figure import Better, Figure, Goal
from benchmarks.fleet import BATCH, CLUSTER, Fleet
from benchmarks.say import Say
from delivery.adapters.ledger.sql import upgrade
from delivery.model.ids import SECOND, Micros
from delivery.ports.ledger import Unit, Wake
from delivery.wiring import spare_collector

TARGETS = 2_000
REPETITIONS = 5
SECONDS = 3.0
SOON = 0.05  # until all processes of a repetition begin together
LEASE = Micros(8 * SECOND)
GOAL = Goal(3_000, Better.MORE)


def measure(say: Say) -> list[Figure]:
    """On SQLite, in one process and in two."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return measured(f"sqlite:///{Path(folder)}/delivery.db", "SQLite", say, TARGETS, REPETITIONS)


def measure_postgres(say: Say) -> list[Figure]:
    """The same on PostgreSQL, with fsync, for information."""
    from tools.postgres import postgres

    with postgres(durable=True) as url:
        return measured(url, "PostgreSQL", say, TARGETS // 2, 3)


def measured(url: str, name: str, say: Say, targets: int, repetitions: int) -> list[Figure]:
    upgrade(url)
    fleet = Fleet(url, [f"service-{number:04}" for number in range(targets)])
    fleet.apply()
    say(f"{targets} services applied on {name}")
    fleet.release()
    say(f"{targets} releases bake")
    fleet.ledger.close()
    rates: dict[str, list[float]] = {}
    with ExitStack() as stack:
        workers = [stack.enter_context(_worker(fleet)) for _ in range(2)]
        for _ in range(repetitions):
            for count in (1, 2):
                for work in ("empty", "ticks"):
                    rate, cpu = _together(fleet, workers[:count], work)
                    rates.setdefault(f"{work} {count}", []).append(rate)
                    rates.setdefault(f"{work} {count} cpu", []).append(cpu)
                    say(f"{name}, {count} process{'es' * (count > 1)}: {rate:.0f} {work}/s, {cpu:.0f} us of CPU each")
    fleet.ledger.close()
    goal = GOAL if name == "SQLite" else None
    return [figure for count in (1, 2) for figure in _figures(name, count, rates, goal if count == 2 else None)]


def _figures(name: str, count: int, rates: dict[str, list[float]], goal: Goal | None) -> Iterator[Figure]:
    where = f"{name}, {count} process{'es' * (count > 1)}"
    ticks, empty = rates[f"ticks {count}"], rates[f"empty {count}"]
    yield Figure(f"drain: ticks, {where}", "1/s", tuple(ticks), goal)
    yield Figure(f"drain: empty steps, {where}", "1/s", tuple(empty))
    yield Figure(
        f"drain: ticks to empty steps, {where}", "ratio", tuple(t / e for t, e in zip(ticks, empty, strict=True))
    )
    yield Figure(f"drain: CPU of a tick, {where}", "us", tuple(rates[f"ticks {count} cpu"]))


def _together(fleet: Fleet, workers: list[Connection], work: str) -> tuple[float, float]:
    """How often in a second, by what the database has afterwards, and microseconds of CPU for each."""
    before, begin = fleet.ticks(), time.monotonic() + SOON
    for worker in workers:
        worker.send((work, begin))
    done = [worker.recv() for worker in workers]
    seconds = max(ended for _, ended, _ in done) - begin
    number = fleet.ticks() - before if work == "ticks" else sum(taken for taken, _, _ in done)
    return number / seconds, sum(cpu for _, _, cpu in done) / number * 1e6


@contextmanager
def _worker(fleet: Fleet) -> Iterator[Connection]:
    """A process that drains when it is told to. Forked, so that it has the mesh as the releases left it."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(fleet, theirs), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        ours.send(None)
        process.join(10)
        process.kill()


def _serve(fleet: Fleet, orders: Connection) -> None:
    engine, owner = fleet.engine(), f"empty-{os.getpid()}"
    works: dict[str, Callable[[], int]] = {
        "ticks": lambda: engine.drain.run(0.2),
        "empty": lambda: _empty(fleet, owner),
    }
    spare_collector()
    while (order := orders.recv()) is not None:
        work, begin = order
        time.sleep(max(0.0, begin - time.monotonic()))
        taken, cpu = 0, time.process_time()
        while time.monotonic() < begin + SECONDS:
            taken += works[work]()
        orders.send((taken, time.monotonic(), time.process_time() - cpu))
    fleet.ledger.close()
    sys.stdout.flush()


def _empty(fleet: Fleet, owner: str) -> int:
    claimed = fleet.ledger.claim([CLUSTER], owner, LEASE, BATCH)
    wake = Wake(Micros(time.time_ns() // 1000), "nothing", release_claim=True)
    fleet.ledger.commit([Unit(target=target, owner=owner, wake=wake) for target in claimed])
    return len(claimed)
