"""Real Celery workers on a real Valkey that is down, killed, restarted and frozen: the scan goes on in all of them."""

import signal
import socket
import time
from pathlib import Path

import pytest

from delivery.adapters.hints.broker import make_app, queue_name
from delivery.adapters.hints.celery import CeleryHints
from tests.integration.worker_parts import Broker, Worker, wait_for

SLOWEST_SCAN = 2.5
"""Seconds for four scans of 250 ms on a busy machine."""
RECONNECTED = 25.0


@pytest.fixture
def broker(tmp_path):
    broker = Broker(tmp_path)
    yield broker
    broker.kill()


@pytest.fixture
def worker(tmp_path, broker):
    worker = Worker(tmp_path, broker.url)
    yield worker
    worker.kill()


@pytest.fixture
def hints(broker):
    hints = CeleryHints(make_app(broker.url))
    yield hints
    hints.close()


def assert_hints_arrive(hints: CeleryHints, worker: Worker, within: float = RECONNECTED) -> None:
    """Hints get lost while the broker comes back, so they are given again, as commits would."""
    before = len(worker.ticks("drain", hinted=True))
    until = time.monotonic() + within
    while len(worker.ticks("drain", hinted=True)) == before:
        assert time.monotonic() < until, f"no hint arrived\n{worker.said()}"
        hints.due(["local"])
        time.sleep(0.05)


def test_a_worker_scans_before_there_is_a_broker_and_takes_hints_once_there_is(broker, worker, hints):
    worker.start()
    assert worker.goes_on() < SLOWEST_SCAN
    broker.start()
    assert_hints_arrive(hints, worker)
    assert worker.ticks("send"), "the outbox is served too"
    name, detail = worker.ticks("beat")[0].what.split(":")[1:]
    assert (name, detail) == (f"w1@{socket.gethostname()}", "local")


def test_a_killed_and_restarted_broker_costs_hints_and_nothing_else(broker, worker, hints):
    broker.start()
    worker.start()
    assert_hints_arrive(hints, worker)
    broker.kill()
    assert worker.goes_on() < SLOWEST_SCAN
    broker.start()
    assert_hints_arrive(hints, worker)
    assert worker.terminate()[0] == 0


def test_a_frozen_broker_holds_up_nobody(broker, worker, hints):
    broker.start()
    worker.start()
    assert_hints_arrive(hints, worker)
    broker.signal(signal.SIGSTOP)
    slowest = 0.0
    for _ in range(100):
        started = time.perf_counter()
        hints.due(["local"])
        slowest = max(slowest, time.perf_counter() - started)
    assert slowest < 0.1
    assert worker.goes_on(8) < 2 * SLOWEST_SCAN
    broker.signal(signal.SIGCONT)
    assert_hints_arrive(hints, worker)


def test_a_frozen_broker_does_not_hold_up_a_shutdown_either(broker, worker):
    broker.start()
    worker.start()
    broker.signal(signal.SIGSTOP)
    code, took = worker.terminate()
    assert code == 0
    assert took < 15
    broker.signal(signal.SIGCONT)


def test_a_worker_without_its_broker_ends_warm(worker):
    worker.start()
    code, took = worker.terminate()
    assert code == 0
    assert took < 15


def test_a_killed_worker_is_followed_by_one_that_goes_on(broker, worker, hints):
    broker.start()
    worker.start()
    assert_hints_arrive(hints, worker)
    worker.kill()
    hints.due(["local"])
    worker.start()
    assert worker.goes_on() < SLOWEST_SCAN
    assert_hints_arrive(hints, worker)


def test_a_pickled_message_is_refused_and_the_worker_goes_on(broker, worker, hints):
    broker.start()
    worker.start()
    assert_hints_arrive(hints, worker)
    with make_app(broker.url).connection_for_write() as connection:
        queue = connection.SimpleQueue(queue_name("local"), serializer="pickle")
        queue.put({"a": 1})
        queue.close()
    wait_for(lambda: "ContentDisallowed" in worker.said(), "the message is refused")
    assert worker.goes_on() < SLOWEST_SCAN
    assert_hints_arrive(hints, worker)


def test_a_worker_that_celery_gives_up_ends_with_a_failure_so_that_it_is_started_again(broker, worker, hints):
    broker.start()
    worker.start()
    assert_hints_arrive(hints, worker)
    with make_app(broker.url).connection_for_write() as connection:
        client = connection.default_channel.client  # type: ignore[attr-defined]
        client.lpush(queue_name("local"), b"not JSON at all")
    assert worker.process is not None
    assert worker.process.wait(15) == 1
    worker.start()
    assert_hints_arrive(hints, worker)


def drains_of(worker: Worker) -> list[str]:
    both = sorted(worker.ticks("drain") + worker.ticks("drained"), key=lambda tick: (tick.at, tick.what == "drain"))
    return [tick.what for tick in both]


def shortest_pause(worker: Worker) -> float:
    ends, begins = worker.ticks("drained"), worker.ticks("drain")[1:]
    return min((begin.at - end.at for end, begin in zip(ends, begins, strict=False)), default=1.0)


def test_drains_of_one_process_never_overlap_and_a_warm_shutdown_ends_the_one_that_runs(tmp_path: Path, broker, hints):
    broker.start()
    worker = Worker(tmp_path, broker.url, takes=0.3)
    try:
        worker.start()
        until = time.monotonic() + RECONNECTED
        while shortest_pause(worker) > 0.1:
            assert time.monotonic() < until, "no hint had the scan look again at once"
            hints.due(["local"])
            time.sleep(0.02)
        wait_for(lambda: drains_of(worker)[-1] == "drain", "a drain is running")
        told = time.monotonic()
        code, took = worker.terminate()
        assert code == 0
        assert took < 10
        assert drains_of(worker) == ["drain", "drained"] * (len(drains_of(worker)) // 2)
        assert worker.ticks("drain")[-1].at < told + 0.35, "nothing is claimed once the shutdown began"
    finally:
        worker.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_without_any_broker_scans_and_ends_warm(tmp_path: Path, number):
    worker = Worker(tmp_path, None, takes=0.2)
    try:
        worker.start()
        assert worker.goes_on() < SLOWEST_SCAN
        assert worker.process is not None
        worker.process.send_signal(number)
        assert worker.process.wait(10) == 0
        assert drains_of(worker)[-1] == "drained"
    finally:
        worker.kill()
