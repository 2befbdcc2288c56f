"""Bounded concurrency: order, errors, isolation of keys, and the quarter that urgent jobs find free."""

import threading

import pytest

from delivery.adapters.slots import InlineSlots, ThreadSlots
from delivery.ports.errors import Unavailable

LIMIT = 10.0


class Gate:
    """Jobs that stay in their slot until they are let out, and say how many are in at once."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.inside = 0
        self.peak = 0
        self.entered = threading.Condition()

    def job(self) -> str:
        with self.entered:
            self.inside += 1
            self.peak = max(self.peak, self.inside)
            self.entered.notify_all()
        assert self.open.wait(LIMIT)
        with self.entered:
            self.inside -= 1
        return "through"

    def wait_for(self, count: int) -> None:
        with self.entered:
            assert self.entered.wait_for(lambda: self.inside >= count, LIMIT)


def in_background(slots, jobs):
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.extend(slots.run(jobs)))
    thread.start()
    return thread, results


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.open.set()


def fail() -> str:
    raise Unavailable("503")


@pytest.mark.parametrize("slots", [InlineSlots(), ThreadSlots()], ids=["inline", "threads"])
def test_results_come_in_the_order_of_the_jobs_and_errors_are_results(slots):
    jobs = [("a", False, lambda: "first"), ("b", True, fail), ("a", True, lambda: "third")]
    first, second, third = slots.run(jobs)
    assert (first, third) == ("first", "third")
    assert isinstance(second, Unavailable)
    assert slots.run([]) == []


def test_inline_runs_urgent_jobs_first():
    order: list[str] = []
    InlineSlots().run([("a", False, lambda: order.append("raise")), ("a", True, lambda: order.append("revert"))])
    assert order == ["revert", "raise"]


def test_a_key_runs_no_more_than_its_share_at_once(gate):
    slots = ThreadSlots(per_key=8)
    thread, results = in_background(slots, [("a", False, gate.job)] * 20)
    gate.wait_for(6)
    gate.open.set()
    thread.join(LIMIT)
    assert results == ["through"] * 20
    assert gate.peak == 6


def test_urgent_jobs_find_a_free_slot_in_a_saturated_key(gate):
    slots = ThreadSlots(per_key=8)
    thread, _ = in_background(slots, [("a", False, gate.job)] * 20)
    gate.wait_for(6)
    assert slots.run([("a", True, lambda: "reverted")]) == ["reverted"]
    gate.open.set()
    thread.join(LIMIT)


def test_urgent_jobs_may_take_every_slot_of_their_key(gate):
    slots = ThreadSlots(per_key=8)
    thread, _ = in_background(slots, [("a", True, gate.job)] * 20)
    gate.wait_for(8)
    gate.open.set()
    thread.join(LIMIT)
    assert gate.peak == 8


def test_a_saturated_key_holds_up_no_other_one(gate):
    slots = ThreadSlots(per_key=4)
    thread, _ = in_background(slots, [("slow", True, gate.job)] * 10)
    gate.wait_for(4)
    assert slots.run([("quick", False, lambda: "done")]) == ["done"]
    gate.open.set()
    thread.join(LIMIT)


def test_a_call_that_hangs_is_unavailable_after_the_deadline_and_what_waited_behind_it_is_never_started(gate):
    slots = ThreadSlots(per_key=2, deadline=0.2)
    started: list[str] = []
    hung, behind, elsewhere = slots.run(
        [("a", False, gate.job), ("a", False, lambda: started.append("behind")), ("b", False, lambda: "fine")]
    )
    assert elsewhere == "fine"
    assert isinstance(hung, Unavailable)
    assert "a did not answer within 0.2 s" in str(hung)
    assert isinstance(behind, Unavailable)
    gate.open.set()
    assert slots.run([("a", False, lambda: "again")]) == ["again"]
    assert started == []


def test_a_call_that_ends_its_thread_ends_nothing_else():
    slots = ThreadSlots(per_key=2)

    def leave() -> str:
        raise SystemExit(3)

    (result,) = slots.run([("a", True, leave)])
    assert isinstance(result, RuntimeError)
    assert slots.run([("a", True, lambda: "alive")]) == ["alive"]


def test_one_slot_cannot_keep_a_quarter():
    with pytest.raises(ValueError, match="at least 2 slots"):
        ThreadSlots(per_key=1)
