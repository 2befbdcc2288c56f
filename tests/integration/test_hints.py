"""Hints: what is told, what is not, and that nobody ever waits for a broker, whatever state it is in."""

import socket
import threading
import time
from collections.abc import Callable

import pytest

from delivery.adapters.hints.broker import DRAIN_TASK, make_app, queue_name
from delivery.adapters.hints.celery import MAX_PENDING, MAX_QUEUED, CeleryHints
from delivery.adapters.hints.memory import MemoryHints
from delivery.adapters.hints.none import NoHints
from tests.integration.worker_parts import LIMIT, Broker

FAST = 0.1
"""Seconds that a call may take on a busy machine; the slowest seen was 0.5 ms, but for the first one."""


class Reports:
    def __init__(self) -> None:
        self.all: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, outcome: str) -> None:
        with self._changed:
            self.all.append(outcome)
            self._changed.notify_all()

    def wait_for(self, outcome: str, times: int = 1) -> None:
        self.wait_until(lambda: self.all.count(outcome) >= times)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, LIMIT), self.all


@pytest.fixture
def broker(tmp_path):
    broker = Broker(tmp_path)
    yield broker
    broker.kill()


@pytest.fixture
def reports():
    return Reports()


@pytest.fixture
def hints(broker, reports):
    hints = CeleryHints(make_app(broker.url), reports)
    yield hints
    hints.close()


def slowest(hints: CeleryHints, times: int = 200) -> float:
    worst = 0.0
    for _ in range(times):
        started = time.perf_counter()
        hints.due(["local"])
        worst = max(worst, time.perf_counter() - started)
    return worst


def messages(broker: Broker, cluster: str):
    with make_app(broker.url).connection_for_read() as connection:
        queue = connection.SimpleQueue(queue_name(cluster))
        try:
            for _ in range(queue.qsize()):
                yield queue.get(block=False)
        finally:
            queue.close()


def test_a_hint_is_an_empty_json_task_in_the_queue_of_its_cluster(broker, hints, reports):
    broker.start()
    hints.due(["prod-eu", "prod-us"])
    reports.wait_for("sent", 2)
    for cluster in ("prod-eu", "prod-us"):
        (message,) = messages(broker, cluster)
        assert message.content_type == "application/json"
        assert message.headers["task"] == DRAIN_TASK
        assert message.headers["eta"] is None
        assert message.headers["ignore_result"] is True
        assert message.decode()[:2] == [[], {}]


def test_a_queue_that_nobody_reads_does_not_grow(broker, hints, reports):
    broker.start()
    for done in range(1, MAX_QUEUED + 4):
        hints.due(["local"])
        reports.wait_until(lambda done=done: len(reports.all) == done)
    assert reports.all == ["sent"] * MAX_QUEUED + ["enough"] * 3
    assert len(list(messages(broker, "local"))) == MAX_QUEUED


def test_a_burst_becomes_few_messages(broker, hints, reports):
    broker.start()
    assert slowest(hints, 2_000) < FAST
    reports.wait_for("sent")
    hints.close()
    assert len(reports.all) < 200


def test_an_absent_broker_costs_the_caller_nothing(hints, reports):
    assert slowest(hints) < FAST
    reports.wait_for("failed")
    assert slowest(hints) < FAST


def test_one_that_accepts_and_never_answers_costs_the_caller_nothing(reports):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hints = CeleryHints(make_app(f"redis://127.0.0.1:{silent.getsockname()[1]}/0"), reports)
        started = time.monotonic()
        assert slowest(hints) < FAST
        reports.wait_for("failed")
        assert time.monotonic() - started < 5
        hints.close()


def test_what_waits_to_be_sent_is_bounded(reports):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hints = CeleryHints(make_app(f"redis://127.0.0.1:{silent.getsockname()[1]}/0"), reports)
        hints.due(f"c{number}" for number in range(5 * MAX_PENDING))
        hints.due(f"d{number}" for number in range(5 * MAX_PENDING))
        assert len(hints._pending) <= MAX_PENDING
        hints.close()


def test_after_a_failure_hints_arrive_again(broker, hints, reports):
    hints.due(["local"])
    reports.wait_for("failed")
    broker.start()
    hints.due(["local"])
    reports.wait_for("sent")


def test_closed_it_ends_its_thread_and_takes_no_more(broker, hints, reports):
    broker.start()
    hints.due(["local"])
    reports.wait_for("sent")
    hints.close()
    hints.due(["local"])
    assert hints._pending == set()
    assert "hints" not in [thread.name for thread in threading.enumerate()]


def test_closing_does_not_wait_for_a_broker(hints):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        stuck = CeleryHints(make_app(f"redis://127.0.0.1:{silent.getsockname()[1]}/0"))
        stuck.due(["local"])
        started = time.monotonic()
        stuck.close()
        assert time.monotonic() - started < 2


def test_in_memory_each_cluster_is_told_once_until_it_is_taken():
    hints = MemoryHints()
    hints.due(["b", "a"])
    hints.due(["b"])
    assert hints.take() == ("b", "a")
    assert hints.take() == ()
    hints.close()


def test_without_hints_nothing_happens():
    hints = NoHints()
    hints.due(["a"])
    hints.close()
