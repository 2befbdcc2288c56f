"""The whole service of one process: settings in, everything that the API and workers need out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from delivery.adapters.clock.database import DatabaseClock
from delivery.adapters.clock.system import SystemClock
from delivery.adapters.hints.none import NoHints
from delivery.adapters.ids import UlidIds
from delivery.adapters.ledger.sql import SqlLedger
from delivery.adapters.slots import ThreadSlots
from delivery.adapters.telemetry.prometheus import PrometheusTelemetry
from delivery.catalog.freeze import frozen
from delivery.engine.book import Book
from delivery.engine.cluster import Cluster
from delivery.engine.drain import Drain
from delivery.engine.inbox import Inbox
from delivery.engine.outbox import Outbox
from delivery.engine.parts import Parts
from delivery.engine.reread import Rereader
from delivery.engine.retention import Keeper, Terms
from delivery.machine.evolve import fold
from delivery.ports.clock import Clock
from delivery.ports.hints import Hints
from delivery.ports.ids import Ids
from delivery.settings import Settings
from delivery.strategies.plan import compile_plan
from delivery.wiring.clusters import clusters_of
from delivery.wiring.engine import drains
from delivery.wiring.outward import receivers_of, subscribers
from delivery.wiring.services import parse

if TYPE_CHECKING:
    from delivery.adapters.telemetry.traces import Traces


@dataclass(frozen=True)
class Wired:
    """The whole service of one process."""

    settings: Settings
    ledger: SqlLedger
    history: SqlLedger
    clock: Clock
    ids: Ids
    hints: Hints
    telemetry: PrometheusTelemetry
    clusters: Mapping[str, Cluster]
    book: Book
    inbox: Inbox
    drains: Mapping[str, Drain]
    rereaders: Mapping[str, Rereader]
    outbox: Outbox
    retention: Keeper
    traces: "Traces | None" = None

    def close(self) -> None:
        """Gives back database connections and ends what works in the background."""
        if self.traces is not None:
            self.traces.close()
        self.hints.close()
        self.ledger.close()


def wire(
    settings: Settings,
    hints: Hints | None = None,
    only: Iterable[str] | None = None,
    traces: "Traces | None" = None,
) -> Wired:
    """Builds the service. `only` names the clusters that this process serves; hints go to the configured broker.

    Raises UnknownName where the settings choose what there is not. Opens no connection yet.
    """
    ledger = SqlLedger(settings.database.url, fold=fold)
    clock = _clock(settings, ledger)
    ids, telemetry = UlidIds(apart=settings.retention.names_apart), PrometheusTelemetry(traces)
    hints = hints or _hints(settings, telemetry)
    book = Book(ledger, clock, partial(parse, settings=settings), compile_plan, frozen, subscribers(settings))
    clusters = clusters_of(settings, clock, book, settings.clusters if only is None else only)
    parts = Parts(ledger, clusters, book, clock, ids, hints, ThreadSlots(), telemetry)
    outbox = Outbox(ledger, ledger, receivers_of(settings), book, clock, telemetry, ids.owner())
    inbox = Inbox(parts)
    rereads = {
        name: Rereader(parts, cluster, inbox, ids.owner()) for name, cluster in clusters.items() if cluster.deployers
    }
    kept = settings.retention
    terms = Terms(kept.events, kept.ticks, kept.inbox, kept.outbox, kept.export_first)
    keeper = Keeper(ledger, ledger, terms, clock, telemetry, ids.owner())
    engine = (inbox, drains(parts), rereads, outbox, keeper)
    return Wired(settings, ledger, ledger, clock, ids, hints, telemetry, clusters, book, *engine, traces)


def _clock(settings: Settings, ledger: SqlLedger) -> Clock:
    """With SQLite everything is on this machine; otherwise the database's clock is the one that leases go by."""
    return SystemClock() if settings.database.url.startswith("sqlite") else DatabaseClock(ledger.now)


def _hints(settings: Settings, telemetry: PrometheusTelemetry) -> Hints:
    if settings.broker is None:
        return NoHints()
    from delivery.adapters.hints.broker import make_app
    from delivery.adapters.hints.celery import CeleryHints

    return CeleryHints(make_app(settings.broker.url), lambda outcome: telemetry.count("hints", outcome=outcome))
