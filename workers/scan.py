"""The scan: what keeps releases going whether or not a broker is there.

A worker bootstep, because nothing else in Celery keeps running in every weather: consumer steps, timers and
`worker_ready` wait for the broker. It needs the pool to be up and nothing more.
"""

import logging
import time
from collections.abc import Iterator
from functools import partial

from celery import bootsteps
from celery.exceptions import ImproperlyConfigured
from celery.worker import WorkController

from workers.engine import DRAIN_LIMIT, Drain, Engine, OneDrain, Outbox
from workers.loop import Loop

IDLE = 0.25
"""Seconds between looks while nothing is due: what a lost hint costs."""
SENT_WITHIN = 1.0
"""Seconds between looks into the outbox while nothing was decided here: for what people and webhooks decided."""
BUSY = 0.05
TIDIED_EVERY = 60.0
"""Seconds between looks for what is old."""
RESTS = 0.25
"""Seconds between batches of what is old, so that they are a small part of what the database does."""
BEAT_EVERY = 2.0
JOIN_WITHIN = DRAIN_LIMIT + 9.0
"""Longer than any call that a drain may be in the middle of; the whole shutdown has 15 s before it is a kill."""

POOLS = ("celery.concurrency.thread", "celery.concurrency.solo")

log = logging.getLogger(__name__)


class Scan:
    """Drains and sends for ever, each cluster's drain and each lane of the outbox in a thread of its own: a revert
    never waits for a message to be delivered, nor for another cluster to answer; a slow receiver holds up no other.
    """

    def __init__(self, engine: Engine, detail: str) -> None:
        self._ledger = engine.ledger
        self._drains = {name: OneDrain(drain) for name, drain in engine.drains.items()}
        self._detail = detail
        self._name = ""
        self._shut = False
        self._beaten_at = float("-inf")
        self._scans = {
            name: Loop(f"scan {name}", partial(self._drain_once, one), idle=IDLE, busy=BUSY)
            for name, one in self._drains.items()
        }
        self._rereads = [
            Loop(f"rereads {name}", partial(_run, one), idle=2 * IDLE, busy=BUSY)
            for name, one in engine.rereaders.items()
        ]
        self._outbox = [
            Loop(f"outbox {lane}".rstrip(), partial(_send, engine.outbox, lane), idle=SENT_WITHIN, busy=BUSY)
            for lane in engine.outbox.lanes
        ]

        self._retention = Loop("retention", partial(_run, engine.retention), idle=TIDIED_EVERY, busy=RESTS)

    def start(self, name: str) -> None:
        self._name = name
        for loop in self._loops():
            loop.start()

    def hinted(self) -> None:
        """Somebody said that something is due. Drains in the caller's thread, or has the one that drains look again."""
        for name, one in self._drains.items():
            if self._shut:
                return
            if one.run() is None:
                self._scans[name].wake()
        self._send_soon()

    def shut(self) -> None:
        """Claims nothing from now on, for hints neither."""
        self._shut = True
        for loop in self._loops():
            loop.stop()

    def stop(self) -> None:
        """Claims nothing from now on, and waits for what is being done."""
        self.shut()
        until = time.monotonic() + JOIN_WITHIN
        for loop in self._loops():
            if not loop.join(max(0.0, until - time.monotonic())):
                log.error("a call did not end within %g s; its claim runs out by itself", JOIN_WITHIN)

    def _loops(self) -> Iterator[Loop]:
        yield from self._scans.values()
        yield from self._rereads
        yield from self._outbox
        yield self._retention

    def _send_soon(self) -> None:
        for loop in self._outbox:
            loop.wake()

    def _drain_once(self, one: OneDrain) -> bool:
        if time.monotonic() - self._beaten_at >= BEAT_EVERY:
            self._ledger.beat(self._name, self._detail)
            self._beaten_at = time.monotonic()
        done = one.run()
        if done:
            self._send_soon()
        return done is None or done > 0


def _send(outbox: Outbox, lane: str) -> bool:
    return outbox.run(lane) > 0


def _run(work: Drain) -> bool:
    return work.run(DRAIN_LIMIT) > 0


def scan_step(scan: Scan) -> type[bootsteps.StartStopStep]:
    """The step for `app.steps["worker"]`; Celery makes the instance itself."""

    class ScanStep(bootsteps.StartStopStep):
        name = "delivery scan"
        requires = ("celery.worker.components:Pool",)

        def include_if(self, parent: WorkController) -> bool:
            if parent.pool_cls.__module__ not in POOLS:  # type: ignore[attr-defined]
                raise ImproperlyConfigured("a forked process must not share database connections: use -P threads")
            return True

        def start(self, parent: WorkController) -> None:
            scan.start(parent.hostname)  # type: ignore[attr-defined]  # celery-types forgot it

        def stop(self, parent: WorkController) -> None:
            scan.stop()

        terminate = stop

    return ScanStep
