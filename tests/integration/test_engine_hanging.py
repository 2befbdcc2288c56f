"""Metrics that take every call and answer none, with real threads, in real time: a revert does not wait for them."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from delivery.adapters.ledger.sql import upgrade
from delivery.adapters.slots import ThreadSlots
from delivery.model.event import Phase
from delivery.model.ids import Principal
from delivery.model.signal import Abort
from delivery.ports.errors import Unavailable
from delivery.ports.metrics import Subject
from tests.integration.engine_fleet import Fleet
from tests.integration.fence_worker import RealTime
from tests.integration.worker_parts import wait_for

NAMES = ("checkout", "basket")


@pytest.fixture
def fleet(each_database: str) -> Iterator[Fleet]:
    """One worker, which drains all the time, and a release that bakes in each of two services."""
    upgrade(each_database)
    made, ended = Fleet(each_database, RealTime(), slots=ThreadSlots()), threading.Event()

    def drains() -> None:
        while not ended.wait(0.02):
            made.drain.run(0.2)

    worker = threading.Thread(target=drains)
    made.serve(*NAMES)
    made.release(*NAMES)
    worker.start()
    try:
        wait_for(lambda: {made.running(name).phase for name in NAMES} == {Phase.BAKING}, "both bake")
        yield made
    finally:
        ended.set()
        worker.join()
        made.close()


def test_an_abort_is_written_and_proven_before_metrics_answer(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answers, answered = threading.Event(), threading.Event(), threading.Event()

    def hangs(subjects: Sequence[Subject]) -> None:
        asked.set()
        answers.wait()
        answered.set()
        raise Unavailable("the metrics did not answer")

    monkeypatch.setattr(fleet.metrics, "sample", hangs)
    try:
        wait_for(asked.is_set, "a measurement that hangs")
        release = fleet.running("checkout").id
        assert fleet.say(release, Abort(Principal("bob"), "errors")).outcome == "signal"
        wait_for(lambda: fleet.running("checkout").phase is Phase.ROLLED_BACK, "the way back, proven")
        assert (fleet.weight("checkout"), fleet.weight("basket")) == (0, 20)
        assert not answered.is_set()
    finally:
        answers.set()
