"""The loops of a worker: they never end by themselves, are woken, and stop without beginning anything new."""

import itertools
import logging
import subprocess
import sys
import threading
from dataclasses import dataclass, field

import pytest

import workers.scan
from delivery.ports.errors import Unavailable
from workers.engine import DRAIN_LIMIT, OneDrain
from workers.loop import Loop
from workers.scan import Scan

LIMIT = 10.0
NEVER = 60.0


class Work:
    """Counts its turns and lets a test wait for them."""

    def __init__(self, *answers: object) -> None:
        self._answers = itertools.chain(answers, itertools.repeat(False))
        self._turned = threading.Condition()
        self.turns = 0

    def __call__(self) -> bool:
        with self._turned:
            self.turns += 1
            self._turned.notify_all()
        answer = next(self._answers)
        if isinstance(answer, BaseException):
            raise answer
        return bool(answer)

    def wait_for(self, turns: int) -> None:
        with self._turned:
            assert self._turned.wait_for(lambda: self.turns >= turns, LIMIT), self.turns


def started(work: Work, idle: float = NEVER, busy: float = NEVER) -> Loop:
    loop = Loop("test", work, idle=idle, busy=busy)
    loop.start()
    return loop


def ended(loop: Loop) -> bool:
    loop.stop()
    return loop.join(LIMIT)


def test_it_goes_on_at_once_while_there_is_more():
    work = Work(True, True, True)
    loop = started(work, busy=0.0)
    work.wait_for(4)
    assert ended(loop)
    assert work.turns == 4


def test_it_is_woken_out_of_its_pause():
    work = Work()
    loop = started(work)
    work.wait_for(1)
    loop.wake()
    work.wait_for(2)
    assert ended(loop)


def test_woken_while_it_works_it_looks_once_more():
    entered, leave = threading.Event(), threading.Event()
    turns: list[int] = []

    def work() -> bool:
        turns.append(1)
        entered.set()
        leave.wait(LIMIT)
        return False

    loop = Loop("test", work, idle=NEVER, busy=NEVER)
    loop.start()
    assert entered.wait(LIMIT)
    loop.wake()
    entered.clear()
    leave.set()
    assert entered.wait(LIMIT)
    assert ended(loop)
    assert len(turns) == 2


@pytest.mark.parametrize("error", [OSError("database is gone"), SystemExit(3), MemoryError()], ids=repr)
def test_nothing_that_the_work_raises_ends_it(error, caplog):
    caplog.set_level(logging.INFO)
    work = Work(error, error, False)
    loop = started(work, idle=0.001)
    work.wait_for(3)
    assert ended(loop)
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert "works again after 2 failures" in caplog.text


def test_what_is_away_is_named_without_our_own_lines(caplog):
    work = Work(Unavailable("the database: connection refused"), False)
    loop = started(work, idle=0.001)
    work.wait_for(2)
    assert ended(loop)
    assert "the database: connection refused" in caplog.text
    assert "Traceback" not in caplog.text


def test_failures_are_tried_again_later_and_later_but_within_two_seconds():
    loop = Loop("test", Work(*[ValueError("no")] * 20), idle=0.25, busy=0.0)
    assert [loop._once() for _ in range(5)] == [0.5, 1.0, 2.0, 2.0, 2.0]
    assert Loop("test", Work(), idle=0.25, busy=0.0)._once() == 0.25


def test_a_stopped_loop_begins_nothing_and_says_when_it_does_not_end():
    leave = threading.Event()
    entered = threading.Event()

    def work() -> bool:
        entered.set()
        leave.wait(LIMIT)
        return True

    loop = Loop("test", work, idle=0.0, busy=0.0)
    loop.start()
    assert entered.wait(LIMIT)
    loop.stop()
    assert not loop.join(0.01)
    entered.clear()
    leave.set()
    assert loop.join(LIMIT)
    assert not entered.is_set()


INTERRUPTED = """
import signal
from workers.loop import Loop
loop = Loop("test", lambda: False, idle=60.0, busy=60.0)
signal.signal(signal.SIGALRM, lambda *_: loop.stop())
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
for _ in range(100_000):
    loop.stop()
signal.setitimer(signal.ITIMER_REAL, 0.0)
"""


def test_a_signal_that_stops_it_may_come_in_the_middle_of_a_stop():
    """A lock that is not reentrant would wait for itself: the kernel sends SIGTERM once for each thread of a parent."""
    subprocess.run([sys.executable, "-c", INTERRUPTED], check=True, timeout=60.0)


def test_one_that_was_never_started_has_ended():
    loop = Loop("test", Work(), idle=1.0, busy=1.0)
    loop.stop()
    assert loop.join(0.0)


@dataclass
class Batches:
    """What is left to be taken away."""

    work: Work = field(default_factory=Work)

    def run(self, limit: float, /) -> int:
        return int(self.work())


@dataclass
class Engine:
    """A stand-in that is its own drain, outbox and heart."""

    work: Work = field(default_factory=Work)
    outbox_work: Work = field(default_factory=Work)
    beats: list[tuple[str, str]] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)
    retention: Batches = field(default_factory=Batches)

    @property
    def drains(self) -> "dict[str, Engine]":
        return {"local": self}

    @property
    def rereaders(self) -> "dict[str, Engine]":
        return {}

    def run(self, limit: float, /) -> int:
        self.limits.append(limit)
        return int(self.work())

    @property
    def outbox(self) -> "Sending":
        return Sending(self.outbox_work)

    @property
    def ledger(self) -> "Engine":
        return self

    def beat(self, worker: str, detail: str) -> None:
        self.beats.append((worker, detail))


@dataclass
class Sending:
    work: Work
    lanes: tuple[str, ...] = ("",)

    def run(self, lane: str, /) -> int:
        return int(self.work())


def test_two_threads_never_drain_at_once():
    entered, leave = threading.Event(), threading.Event()

    class Slow:
        def run(self, limit: float, /) -> int:
            entered.set()
            leave.wait(LIMIT)
            return 7

    one = OneDrain(Slow())
    results: list[int | None] = []
    thread = threading.Thread(target=lambda: results.append(one.run()))
    thread.start()
    assert entered.wait(LIMIT)
    assert one.run() is None
    leave.set()
    thread.join(LIMIT)
    assert results == [7]
    assert one.run() == 7


def test_a_drain_that_raises_lets_the_next_one_in():
    class Broken:
        def run(self, limit: float, /) -> int:
            raise OSError("down")

    one = OneDrain(Broken())
    for _ in range(2):
        with pytest.raises(OSError, match="down"):
            one.run()


def test_the_scan_says_that_it_lives_drains_within_its_limit_and_sends_what_drains_left():
    engine = Engine(work=Work(True))
    scan = Scan(engine, "prod-eu, prod-us")
    scan.start("w1@host")
    try:
        engine.work.wait_for(2)
        engine.outbox_work.wait_for(2)
        assert engine.beats[0] == ("w1@host", "prod-eu, prod-us")
        assert set(engine.limits) == {DRAIN_LIMIT}
    finally:
        scan.stop()


def test_a_hint_drains_in_its_own_thread_until_the_scan_is_shut():
    engine = Engine()
    scan = Scan(engine, "local")
    scan.hinted()
    assert engine.work.turns == 1
    scan.shut()
    scan.hinted()
    assert engine.work.turns == 1


def test_a_hint_during_a_drain_of_the_scan_has_it_look_again_at_once(monkeypatch):
    monkeypatch.setattr(workers.scan, "IDLE", NEVER)
    leave = threading.Event()
    engine = Engine()
    drain = engine.run

    def slowly(limit: float, /) -> int:
        done = drain(limit)
        leave.wait(LIMIT)
        return done

    monkeypatch.setattr(engine, "run", slowly)
    scan = Scan(engine, "local")
    scan.start("w1")
    try:
        engine.work.wait_for(1)
        scan.hinted()
        assert engine.work.turns == 1, "it does not wait for the one that drains"
        leave.set()
        engine.work.wait_for(2)
    finally:
        leave.set()
        scan.stop()


def test_an_outbox_that_hangs_does_not_hold_up_drains():
    leave = threading.Event()

    class Hung(Engine):
        @property
        def outbox(self) -> "Sending":
            class Hanging:
                lanes = ("",)

                def run(self, lane: str) -> int:
                    leave.wait(LIMIT)
                    return 0

            return Hanging()  # type: ignore[return-value]

    engine = Hung()
    scan = Scan(engine, "local")
    scan.start("w1")
    try:
        engine.work.wait_for(3)
    finally:
        leave.set()
        scan.stop()


def test_what_only_hints_is_read_again_in_a_thread_of_its_own():
    reader = Engine()

    class Reading(Engine):
        @property
        def rereaders(self) -> "dict[str, Engine]":
            return {"local": reader}

    scan = Scan(Reading(), "local")
    scan.start("w1")
    try:
        reader.work.wait_for(3)
    finally:
        scan.stop()


def test_what_is_old_goes_batch_by_batch_in_a_thread_of_its_own():
    engine = Engine(retention=Batches(Work(True, True, False)))
    scan = Scan(engine, "local")
    scan.start("w1")
    try:
        engine.retention.work.wait_for(3)
    finally:
        scan.stop()


def test_a_cluster_that_hangs_does_not_hold_up_another():
    leave = threading.Event()
    hung, other = Engine(), Engine()
    hung.run = lambda limit, /: int(leave.wait(LIMIT))  # type: ignore[method-assign]

    class Two(Engine):
        @property
        def drains(self) -> "dict[str, Engine]":
            return {"hung": hung, "other": other}

    scan = Scan(Two(), "hung, other")
    scan.start("w1")
    try:
        other.work.wait_for(3)
    finally:
        leave.set()
        scan.stop()
