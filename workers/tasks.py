"""The one task. It carries nothing: what is due stands in the ledger."""

import logging

from celery import Celery

from delivery.adapters.hints.broker import DRAIN_TASK
from workers.scan import Scan

log = logging.getLogger(__name__)


def register(app: Celery, scan: Scan) -> None:
    """Gives the app its task; it never raises, as a failed task would be nobody's to repeat."""

    @app.task(name=DRAIN_TASK, shared=False)
    def drain() -> None:
        try:
            scan.hinted()
        except Exception as error:
            log.warning("a hint came to nothing, the scan looks again: %s", str(error) or repr(error))
