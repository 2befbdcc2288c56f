"""A Celery app that delivers: the task, the scan as a bootstep, and logs that stay ours."""

from collections.abc import Collection
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_shutting_down

from delivery.adapters.hints.broker import make_app
from workers.engine import Engine
from workers.scan import Scan, scan_step
from workers.tasks import register


def assemble(broker: str, clusters: Collection[str], engine: Engine) -> Celery:
    """The app of a worker for these clusters."""
    app = make_app(broker, clusters)
    scan = scan_of(clusters, engine)
    register(app, scan)
    app.steps["worker"].add(scan_step(scan))

    def shut(**_: Any) -> None:
        scan.shut()

    # The step's own stop comes only after the consumer's, seconds later: nothing may be claimed in between.
    worker_shutting_down.connect(shut, weak=False)
    setup_logging.connect(_keep_logging, weak=False)
    return app


def scan_of(clusters: Collection[str], engine: Engine) -> Scan:
    """The scan alone: all of a worker that has no broker."""
    return Scan(engine, ", ".join(sorted(clusters)))


def _keep_logging(**_: Any) -> None:
    """Being connected is enough: Celery then leaves logging as it is."""
