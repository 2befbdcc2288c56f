"""Retention beside drains: rows a second that go, and what a drain is slowed down by, as a ratio.

Turns are timed in pairs, a stretch without and a stretch with a worker that takes old deliveries and releases away as
`workers.scan` has it, so that both meet the same other load.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.fleet import Fleet
from benchmarks.say import Say
from delivery.adapters.clock.system import SystemClock
from delivery.adapters.ledger.sql import SqlLedger, upgrade
from delivery.adapters.telemetry.memory import MemoryTelemetry
from delivery.engine.retention import Keeper, Terms
from delivery.machine.evolve import fold
from delivery.model.ids import HOUR, SECOND, Micros, ReleaseId, target_id
from delivery.ports.rows import Measuring, Segment, Unit
from delivery.testing.contracts.ledger_values import Story, begin, delivery, measured, row
from tools.postgres import postgres
from workers.scan import RESTS

TARGETS, STRETCH, PAIRS = 100, 2.0, 4
DELIVERIES, RELEASES, BODY = 10_000, 100, b"x" * 2_000
KEPT = Terms(events=Micros(HOUR), ticks=Micros(HOUR), inbox=Micros(HOUR))
OLD = Micros(48 * HOUR)


@dataclass
class Taken:
    """`batches` are seconds."""

    rows: int = 0
    batches: list[float] = field(default_factory=list)


def measure(say: Say) -> list[Figure]:
    """On SQLite and PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        figures = _measure(say, "SQLite", f"sqlite:///{Path(folder)}/bench.db")
    with postgres(durable=True) as url:
        return figures + _measure(say, "PostgreSQL", url)


def _measure(say: Say, name: str, url: str) -> list[Figure]:
    upgrade(url)
    fleet = Fleet(url, [f"service-{number}" for number in range(TARGETS)])
    fleet.apply()
    fleet.release()
    ledger = SqlLedger(url, fold=fold)
    _age(ledger)
    say(f"retention, {name}: filled")
    engine = fleet.engine()
    ratios, taken = list[float](), Taken()
    engine.drain.run(STRETCH)
    for _ in range(PAIRS):
        alone = _turns(engine.drain.run)
        with _taking_away(ledger, taken):
            beside = _turns(engine.drain.run)
        ratios.append(beside / alone)
    say(f"retention, {name}: {taken.rows} rows taken away")
    return [
        Figure(f"{name}: turns beside retention, of those alone", "ratio", tuple(ratios)),
        Figure(f"{name}: rows that retention took away", "rows/s", (taken.rows / (PAIRS * STRETCH),)),
        Figure(f"{name}: a batch of retention", "ms", tuple(1000 * one for one in taken.batches)),
    ]


def _turns(run: Callable[[float], int]) -> float:
    """Turns a second."""
    started, done = time.monotonic(), 0
    while (lasted := time.monotonic() - started) < STRETCH:
        done += run(STRETCH - lasted)
    return done / (time.monotonic() - started)


@contextmanager
def _taking_away(ledger: SqlLedger, taken: Taken) -> Iterator[None]:
    telemetry, ended = MemoryTelemetry(), threading.Event()
    keeper = Keeper(ledger, ledger, KEPT, SystemClock(), telemetry, "bench")

    def work() -> None:
        while not ended.is_set():
            keeper.run(1.0)
            ended.wait(RESTS)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        taken.rows += int(sum(telemetry.counts.values()))
        taken.batches += telemetry.values.get("retention_seconds", [])


def _age(ledger: SqlLedger) -> None:
    """What is old: deliveries, and releases of a target of their own."""
    old = Micros(SystemClock().now() - OLD)
    for first in range(0, DELIVERIES, 500):
        rows = tuple(replace(delivery(f"old-{first + n}", at=old), body=BODY) for n in range(500))
        ledger.commit([Unit(inbox=(one,)) for one in rows])
    target = target_id("history", "elsewhere")
    ledger.create_target(row("history", "elsewhere", due_at=None))
    for number in range(RELEASES):
        id_ = ReleaseId(f"rel_0{number:05}")
        begin(ledger, Story(target, id_, number, at=Micros(old + number * SECOND)).started().cancelled())
        live = measured(Measuring(id_))
        ledger.commit([Unit(measuring=live, segments=(Segment(id_, 1, live.ticks * 32, "hash"),))])
