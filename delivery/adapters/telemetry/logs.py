"""Structured logs: one JSON object a line, or something to read where a person watches."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_TOO_CHATTY = ("celery.worker.strategy", "celery.app.trace", "httpx", "httpcore", "alembic.runtime.plugins")
"""Libraries that say a line for every message or request."""
_OWN_HANDLERS = ("uvicorn", "uvicorn.error", "uvicorn.access")
"""Loggers that write by themselves, in a form of their own."""


def configure(service: str, *, stream: TextIO | None = None, level: str = "INFO", plain: bool | None = None) -> None:
    """Sends the logs of our code and of every library to `stream` (default stderr), marked with the service's name.

    `plain` True reads well, False is JSON; without it a terminal gets the one and everything else the other.
    """
    stream = stream or sys.stderr
    readable = stream.isatty() if plain is None else plain
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
    ]
    # Plain tracebacks both times: the fancy ones print local variables, and those hold secrets.
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if readable
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _OWN_HANDLERS:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in _TOO_CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _named(service: str) -> Processor:
    def name(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event.pop("color_message", None)  # uvicorn says everything twice
        event["service"] = service
        return event

    return name
