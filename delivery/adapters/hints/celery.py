"""Hints over Celery: best effort, off the caller's path, and never in anybody's way."""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import cast

from celery import Celery
from kombu import Connection, Producer
from kombu.transport.virtual import Channel

from delivery.adapters.hints.broker import DRAIN_TASK, queue_name

MAX_PENDING = 1024
"""Clusters that wait to be told about at once; a configuration has far fewer."""
MAX_QUEUED = 8
"""Hints that may wait in a queue. They are all alike, so a worker that takes one of these has been told enough."""
GAP = 0.01
"""Seconds between two rounds: a burst of commits becomes a hundred hints a second at most."""
PAUSE_AFTER_FAILURE = 1.0
CLOSE_WITHIN = 1.0

log = logging.getLogger(__name__)


def _ignore(outcome: str) -> None:
    """What happens to an outcome that nobody counts."""


class CeleryHints:
    """Remembers the clusters and returns; a thread of its own publishes. `report` gets "sent", "enough" or "failed"."""

    def __init__(self, app: Celery, report: Callable[[str], None] = _ignore) -> None:
        self._app = app
        self._report = report
        self._pending: set[str] = set()
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: Connection | None = None
        self._failing = False

    def due(self, clusters: Iterable[str]) -> None:
        with self._changed:
            if self._closed.is_set():
                return
            self._pending.update(list(clusters)[: MAX_PENDING - len(self._pending)])
            if self._thread is None:
                self._thread = threading.Thread(target=self._publish_for_ever, name="hints", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Ends the thread; hints that were not sent are lost, which costs a scan interval."""
        self._closed.set()
        with self._changed:
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(CLOSE_WITHIN)

    def _publish_for_ever(self) -> None:
        while (clusters := self._take()) is not None:
            try:
                for cluster in clusters:
                    self._report(self._publish(cluster))
                self._succeeded()
                self._closed.wait(GAP)
            except Exception as error:  # whatever the broker's library raises
                self._failed(error)
                self._closed.wait(PAUSE_AFTER_FAILURE)
        self._disconnect()

    def _take(self) -> set[str] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closed.is_set())
            if self._closed.is_set():
                return None
            taken, self._pending = self._pending, set()
            return taken

    def _publish(self, cluster: str) -> str:
        if self._connection is None:
            self._connection = self._app.connection_for_write()
        name = queue_name(cluster)
        channel = cast(Channel, self._connection.default_channel)
        if channel.queue_declare(queue=name).message_count >= MAX_QUEUED:
            return "enough"
        producer = Producer(channel, auto_declare=False)
        self._app.send_task(DRAIN_TASK, queue=name, producer=producer, retry=False, ignore_result=True)
        return "sent"

    def _succeeded(self) -> None:
        if self._failing:
            log.info("hints reach the broker again")
        self._failing = False

    def _failed(self, error: Exception) -> None:
        self._report("failed")
        if not self._failing:
            log.warning("no hints to the workers, who look by themselves every 250 ms: %s", str(error) or repr(error))
        self._failing = True
        self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.collect(socket_timeout=0.1)
