"""The assembled Celery app: hints only, JSON only, and a task that can do no harm."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from celery import Celery
from celery.signals import setup_logging, worker_shutting_down

from delivery.adapters.hints.broker import DRAIN_TASK, make_app, queue_name
from workers.assemble import assemble


class Nothing:
    """Nothing is old."""

    def run(self, limit: float, /) -> int:
        return 0


@dataclass
class Engine:
    """Counts drains; raises `error` where there is one."""

    drained: int = 0
    sent: int = 0
    error: Exception | None = None
    retention: Nothing = field(default_factory=Nothing)
    beats: list[str] = field(default_factory=list)

    @property
    def drains(self) -> "dict[str, Engine]":
        return {"local": self}

    @property
    def rereaders(self) -> "dict[str, Engine]":
        return {}

    @property
    def outbox(self) -> "Engine":
        return self

    @property
    def lanes(self) -> tuple[str, ...]:
        return ("console",)

    @property
    def ledger(self) -> "Engine":
        return self

    def run(self, limit: float | str | None = None) -> int:
        self.drained += 1
        if self.error is not None:
            raise self.error
        return 0

    def beat(self, worker: str, detail: str) -> None:
        self.beats.append(worker)


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def app(engine) -> Iterator[Celery]:
    receivers = {signal: list(signal.receivers or ()) for signal in (setup_logging, worker_shutting_down)}
    yield assemble("redis://127.0.0.1:1/0", ["eu", "us"], engine)
    for signal, before in receivers.items():
        signal.receivers = before


def test_it_listens_to_its_clusters_alone_and_trusts_json_alone(app):
    assert [queue.name for queue in app.conf.task_queues] == [queue_name("eu"), queue_name("us")]
    assert app.conf.accept_content == ["json"]
    assert [name for name in app.tasks if not name.startswith("celery.")] == [DRAIN_TASK]


def test_nothing_is_kept_repeated_or_put_off(app):
    conf = app.conf
    assert conf.task_ignore_result
    assert conf.result_backend == "disabled://"
    assert not conf.task_acks_late
    assert not conf.task_publish_retry
    assert not conf.beat_schedule
    assert conf.broker_connection_max_retries is None, "a worker never gives up its broker"


def test_a_hint_drains(app, engine):
    app.tasks[DRAIN_TASK]()
    assert engine.drained == 1


def test_a_hint_never_fails(app, engine, caplog):
    engine.error = OSError("the database is gone")
    app.tasks[DRAIN_TASK]()
    assert "the scan looks again: the database is gone" in caplog.text


def test_once_the_shutdown_began_nothing_is_claimed_for_hints_neither(app, engine):
    worker_shutting_down.send(sender="w1", sig="SIGTERM", how="Warm", exitcode=0)
    app.tasks[DRAIN_TASK]()
    assert engine.drained == 0


def test_logging_stays_ours(app):
    assert setup_logging.send(sender=None, loglevel=10, logfile=None, format="", colorize=False)


def test_without_a_broker_there_is_still_an_app():
    assert make_app(None).conf.broker_url == "memory://"
