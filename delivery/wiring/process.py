"""What a process has that does any of it: logs, traces, memory, and the database's schema."""

import gc
from collections.abc import Mapping
from typing import TYPE_CHECKING

from delivery.adapters.ledger.sql import is_current, upgrade
from delivery.adapters.telemetry import logs, otlp
from delivery.settings import Settings

if TYPE_CHECKING:
    from delivery.adapters.telemetry.traces import Traces


def configure_logs(service: str) -> None:
    """Structured logs of this process and of every library in it, to stderr; `service` marks them."""
    logs.configure(service)


def traces(environ: Mapping[str, str], part: str) -> "Traces | None":
    """Whom the traces of this process are told to, by OpenTelemetry's variables; `part` is what it is called there."""
    if not otlp.wanted(environ):
        return None
    from delivery.adapters.telemetry.traces import Traces

    return Traces(part)


def spare_collector() -> None:
    """For a process that lives long, once its modules are loaded: the collector of cycles leaves them alone and runs
    less often. Every decision makes thousands of values and no cycles; a quarter of a drain's time went into looking.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def migrate(settings: Settings) -> None:
    """Brings the database to the schema that this version needs; several processes may do so at once."""
    upgrade(settings.database.url)


def is_migrated(settings: Settings) -> bool:
    """Whether the database has this version's schema, or a newer one's. Raises Unavailable where it does not answer."""
    return is_current(settings.database.url)
