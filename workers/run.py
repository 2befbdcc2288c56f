"""Runs an assembled worker in this process until it is told to end. Both kinds end warm: what is being done is
finished, nothing new is begun."""

import queue
import signal
import socket
from collections.abc import Collection

from workers.assemble import assemble, scan_of
from workers.engine import Engine


def with_broker(broker: str, clusters: Collection[str], engine: Engine, name: str) -> int:
    """A Celery worker, until SIGTERM or SIGINT. The exit code: not 0 where Celery gave up, to be started again."""
    app = assemble(broker, clusters, engine)
    worker = app.Worker(
        hostname=f"{name}@{socket.gethostname()}",
        loglevel="INFO",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def without_broker(clusters: Collection[str], engine: Engine, name: str) -> int:
    """The scan alone, until SIGTERM or SIGINT."""
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()  # an Event cannot take a second signal in the middle of one
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: ended.put(got))
    scan = scan_of(clusters, engine)
    scan.start(f"{name}@{socket.gethostname()}")
    ended.get()
    scan.stop()
    return 0
