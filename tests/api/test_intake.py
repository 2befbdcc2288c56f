"""The writer thread: shared commits, answers after them, bounded, and nobody spoiled by another."""

import asyncio
import threading

import pytest

from api.intake import Intake
from api.problems import Problem
from delivery.engine.answer import Answer, Arrival
from delivery.model.ids import Principal
from delivery.model.notice import Notice, ReleaseRequested
from delivery.model.version import VersionRef
from delivery.ports.errors import Unavailable

LIMIT = 10.0


def arrival(key: str) -> Arrival:
    return Arrival(Notice("ci", key, "d", ReleaseRequested("checkout", VersionRef.of("1"), Principal("a"))), b"")


class Inbox:
    """Holds each commit until it is let go; answers with the key. Keys that begin with `bad` raise."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        self.down = False

    def accept(self, arrivals):
        self.entered.release()
        assert self.gate.wait(LIMIT)
        keys = [one.notice.key for one in arrivals]
        self.batches.append(keys)
        if self.down:
            raise Unavailable("the database does not answer", 3.0)
        if any(key.startswith("bad") for key in keys):
            raise ArithmeticError("poison")
        return tuple(Answer("no_op", text=key) for key in keys)


@pytest.fixture
def inbox():
    return Inbox()


def run(inbox, scenario, **sizes):
    """Runs the scenario with an intake over the inbox, and ends it."""
    seen: list[int] = []
    intake = Intake(inbox.accept, seen.append, **sizes)
    intake.start()
    try:
        return asyncio.run(asyncio.wait_for(scenario(intake), LIMIT))
    finally:
        inbox.gate.set()
        intake.stop()


async def entered(inbox):
    assert await asyncio.to_thread(inbox.entered.acquire, timeout=LIMIT)


def test_what_queues_up_during_a_commit_shares_the_next_one(inbox):
    async def scenario(intake):
        first = asyncio.ensure_future(intake.submit(arrival("0")))
        await entered(inbox)
        rest = [asyncio.ensure_future(intake.submit(arrival(str(n)))) for n in range(1, 6)]
        await asyncio.sleep(0)
        assert not first.done()
        inbox.gate.set()
        return [(await one).text for one in (first, *rest)]

    assert run(inbox, scenario) == ["0", "1", "2", "3", "4", "5"]
    assert inbox.batches == [["0"], ["1", "2", "3", "4", "5"]]


def test_a_commit_is_shared_by_no_more_than_the_most(inbox):
    async def scenario(intake):
        first = asyncio.ensure_future(intake.submit(arrival("0")))
        await entered(inbox)
        rest = [asyncio.ensure_future(intake.submit(arrival(str(n)))) for n in range(1, 6)]
        await asyncio.sleep(0)
        inbox.gate.set()
        await asyncio.gather(first, *rest)

    run(inbox, scenario, most=2)
    assert inbox.batches == [["0"], ["1", "2"], ["3", "4"], ["5"]]


def test_a_full_queue_is_said_at_once(inbox):
    async def scenario(intake):
        waiting = [asyncio.ensure_future(intake.submit(arrival("0")))]
        await entered(inbox)
        waiting += [asyncio.ensure_future(intake.submit(arrival(str(n)))) for n in (1, 2)]
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refused:
            await intake.submit(arrival("3"))
        inbox.gate.set()
        await asyncio.gather(*waiting)
        return refused.value

    problem = run(inbox, scenario, capacity=2)
    assert (problem.kind, problem.headers) == ("busy", {"Retry-After": "1"})


def test_one_that_cannot_be_worked_on_spoils_no_other(inbox):
    async def scenario(intake):
        first = asyncio.ensure_future(intake.submit(arrival("0")))
        await entered(inbox)
        rest = [asyncio.ensure_future(intake.submit(arrival(key))) for key in ("a", "bad", "b")]
        await asyncio.sleep(0)
        inbox.gate.set()
        return await asyncio.gather(first, *rest, return_exceptions=True)

    _, a, bad, b = run(inbox, scenario)
    assert (a.text, b.text) == ("a", "b")
    assert isinstance(bad, ArithmeticError)


def test_an_unreachable_database_is_told_to_all_at_once(inbox):
    async def scenario(intake):
        inbox.down = True
        first = asyncio.ensure_future(intake.submit(arrival("0")))
        await entered(inbox)
        rest = [asyncio.ensure_future(intake.submit(arrival(str(n)))) for n in (1, 2)]
        await asyncio.sleep(0)
        inbox.gate.set()
        return await asyncio.gather(first, *rest, return_exceptions=True)

    assert [type(one) for one in run(inbox, scenario)] == [Unavailable] * 3
    assert len(inbox.batches) == 2


def test_a_sender_that_goes_away_is_stored_all_the_same_and_harms_nobody(inbox):
    faults: list[object] = []

    async def scenario(intake):
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        gone = asyncio.ensure_future(intake.submit(arrival("gone")))
        await entered(inbox)
        gone.cancel()
        stays = asyncio.ensure_future(intake.submit(arrival("stays")))
        await asyncio.sleep(0)
        inbox.gate.set()
        return (await stays).text

    assert run(inbox, scenario) == "stays"
    assert inbox.batches == [["gone"], ["stays"]]
    assert faults == []


def test_the_end_waits_for_what_was_queued(inbox):
    async def scenario(intake):
        first = asyncio.ensure_future(intake.submit(arrival("0")))
        await entered(inbox)
        second = asyncio.ensure_future(intake.submit(arrival("1")))
        await asyncio.sleep(0)
        stopping = asyncio.ensure_future(asyncio.to_thread(intake.stop))
        inbox.gate.set()
        await stopping
        return [(await one).text for one in (first, second)]

    assert run(inbox, scenario) == ["0", "1"]
