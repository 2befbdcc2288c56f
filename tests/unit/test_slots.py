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


def results(begun, within=LIMIT):
    begun.wait(within)
    return [call.result() for call in begun.calls]


def run(slots, jobs):
    return results(slots.begin(jobs))


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
    first, second, third = run(slots, jobs)
    assert (first, third) == ("first", "third")
    assert isinstance(second, Unavailable)
    assert run(slots, []) == []


def test_inline_runs_urgent_jobs_first():
    order: list[str] = []
    InlineSlots().begin([("a", False, lambda: order.append("raise")), ("a", True, lambda: order.append("revert"))])
    assert order == ["revert", "raise"]


def test_a_key_runs_no_more_than_its_share_at_once(gate):
    slots = ThreadSlots(per_key=8)
    begun = slots.begin([("a", False, gate.job)] * 20)
    gate.wait_for(6)
    assert not any(call.over for call in begun.calls)
    gate.open.set()
    assert results(begun) == ["through"] * 20
    assert gate.peak == 6


def test_urgent_jobs_find_a_free_slot_in_a_saturated_key(gate):
    slots = ThreadSlots(per_key=8)
    slots.begin([("a", False, gate.job)] * 20)
    gate.wait_for(6)
    assert run(slots, [("a", True, lambda: "reverted")]) == ["reverted"]


def test_urgent_jobs_may_take_every_slot_of_their_key(gate):
    slots = ThreadSlots(per_key=8)
    begun = slots.begin([("a", True, gate.job)] * 20)
    gate.wait_for(8)
    gate.open.set()
    assert results(begun) == ["through"] * 20
    assert gate.peak == 8


def test_a_saturated_key_holds_up_no_other_one(gate):
    slots = ThreadSlots(per_key=4)
    slots.begin([("slow", True, gate.job)] * 10)
    gate.wait_for(4)
    assert run(slots, [("quick", False, lambda: "done")]) == ["done"]


def test_a_call_that_is_not_waited_for_is_unavailable_and_what_waited_behind_it_is_never_started(gate):
    slots = ThreadSlots(per_key=2)
    started: list[str] = []
    begun = slots.begin(
        [("a", False, gate.job), ("a", False, lambda: started.append("behind")), ("b", False, lambda: "fine")]
    )
    gate.wait_for(1)
    hung, behind, elsewhere = results(begun, within=0.2)
    assert elsewhere == "fine"
    assert isinstance(hung, Unavailable)
    assert "a did not answer in time" in str(hung)
    assert isinstance(behind, Unavailable)
    gate.open.set()
    assert run(slots, [("a", False, lambda: "again")]) == ["again"]
    assert started == []


def test_a_call_that_was_given_up_stays_so(gate):
    begun = ThreadSlots(per_key=2).begin([("a", False, gate.job)])
    (call,) = begun.calls
    assert isinstance(call.result(), Unavailable)
    gate.open.set()
    begun.wait(LIMIT)
    assert isinstance(call.result(), Unavailable)


def test_a_call_that_ends_its_thread_ends_nothing_else():
    slots = ThreadSlots(per_key=2)

    def leave() -> str:
        raise SystemExit(3)

    (result,) = run(slots, [("a", True, leave)])
    assert isinstance(result, RuntimeError)
    assert run(slots, [("a", True, lambda: "alive")]) == ["alive"]


def test_one_slot_cannot_keep_a_quarter():
    with pytest.raises(ValueError, match="at least 2 slots"):
        ThreadSlots(per_key=1)
