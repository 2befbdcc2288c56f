"""Drains: ticks a second of releases in bake, beside an empty step through the same ledger.

A tick is a whole turn of a target: claimed, loaded, stepped, its route and workloads looked at, both versions' counters
read, gates fed, stepped again, committed. The empty step is a claim and a commit of units that change a due time
and nothing else. More is due than can be done, so that batches are full.
"""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.figure import Better, Figure, Goal
from benchmarks.fleet import BATCH, CLUSTER, ONE_GATE, TWO_GATES, Fleet, Gates
from benchmarks.say import Say
from delivery.adapters.ledger.sql import upgrade
from delivery.model.ids import SECOND, Micros
from delivery.ports.rows import Unit, Wake
from delivery.wiring import spare_collector

TARGETS = 2_000
SECONDS = 3.0
SOON = 0.05  # until all processes of a repetition begin together
LEASE = Micros(8 * SECOND)
GOAL = Goal(3_000, Better.MORE)


@dataclass(frozen=True, slots=True)
class Run:
    """How often in a second, microseconds of CPU for each, and how many cores it had of a machine that others use."""

    rate: float
    cpu: float
    cores: float


@dataclass(frozen=True, slots=True)
class Case:
    """`processes` are measured one after the other in each repetition, so that all meet the same other load."""

    name: str
    gates: Gates
    targets: int = TARGETS
    repetitions: int = 5
    processes: tuple[int, ...] = (1, 2)
    goal: Goal | None = None


def measure(say: Say) -> list[Figure]:
    """On SQLite, with the gate that a service gets by default, and with the two of the documentation."""
    cases = (
        Case("SQLite, one gate", ONE_GATE, goal=GOAL),
        Case("SQLite, two gates", TWO_GATES, repetitions=3, processes=(2,)),
    )
    figures = []
    for case in cases:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            figures += measured(f"sqlite:///{Path(folder)}/delivery.db", case, say)
    return figures


def measure_postgres(say: Say) -> list[Figure]:
    """The same on PostgreSQL, with fsync, for information."""
    from tools.postgres import postgres

    with postgres(durable=True) as url:
        return measured(url, Case("PostgreSQL, one gate", ONE_GATE, TARGETS // 2, 3), say)


def measured(url: str, case: Case, say: Say) -> list[Figure]:
    """Sets up the releases and measures each number of processes."""
    upgrade(url)
    fleet = Fleet(url, [f"service-{number:04}" for number in range(case.targets)], case.gates)
    fleet.apply()
    fleet.release()
    say(f"{case.name}: {case.targets} releases bake")
    fleet.ledger.close()
    found: dict[tuple[int, str], list[Run]] = {}
    with ExitStack() as stack:
        workers = [stack.enter_context(_worker(fleet)) for _ in range(max(case.processes))]
        for _ in range(case.repetitions):
            for count in case.processes:
                for work in ("empty", "ticks"):
                    run = _together(fleet, workers[:count], work)
                    found.setdefault((count, work), []).append(run)
                    say(f"{case.name}, {_processes(count)}: {run.rate:,.0f} {work}/s, {run.cpu:.0f} us of CPU each")
    fleet.ledger.close()
    return [figure for count in case.processes for figure in _figures(case, count, found)]


def _figures(case: Case, count: int, found: Mapping[tuple[int, str], Sequence[Run]]) -> Iterator[Figure]:
    where = f"{case.name}, {_processes(count)}"
    ticks, empty = found[count, "ticks"], found[count, "empty"]
    goal = case.goal if count == 2 else None
    yield Figure(f"drain, {where}: ticks", "1/s", tuple(run.rate for run in ticks), goal)
    yield Figure(f"drain, {where}: empty steps", "1/s", tuple(run.rate for run in empty))
    shares = tuple(tick.rate / step.rate for tick, step in zip(ticks, empty, strict=True))
    yield Figure(f"drain, {where}: ticks to empty steps", "ratio", shares)
    yield Figure(f"drain, {where}: CPU of a tick", "us", tuple(run.cpu for run in ticks))
    yield Figure(f"drain, {where}: cores had", "cores", tuple(run.cores for run in ticks))


def _processes(count: int) -> str:
    return f"{count} process" if count == 1 else f"{count} processes"


def _together(fleet: Fleet, workers: Sequence[Connection], work: str) -> Run:
    """All workers at once. Ticks are counted by what the database has afterwards."""
    before, begin = fleet.ticks(), time.monotonic() + SOON
    for worker in workers:
        worker.send((work, begin))
    done = [worker.recv() for worker in workers]
    seconds = max(ended for _, ended, _ in done) - begin
    number = fleet.ticks() - before if work == "ticks" else sum(taken for taken, _, _ in done)
    cpu = sum(used for _, _, used in done)
    return Run(number / seconds, cpu / number * 1e6, cpu / seconds)


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


def _empty(fleet: Fleet, owner: str) -> int:
    claimed = fleet.ledger.claim([CLUSTER], owner, LEASE, BATCH)
    wake = Wake(Micros(time.time_ns() // 1000), "nothing", release_claim=True)
    fleet.ledger.commit([Unit(target=target, owner=owner, wake=wake) for target in claimed])
    return len(claimed)
