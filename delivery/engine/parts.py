"""What an engine is made of: ports, and the book of services."""

from collections.abc import Mapping
from dataclasses import dataclass

from delivery.engine.book import Book
from delivery.engine.cluster import Cluster
from delivery.ports.clock import Clock
from delivery.ports.hints import Hints
from delivery.ports.ids import Ids
from delivery.ports.ledger import Ledger
from delivery.ports.slots import Slots
from delivery.ports.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Parts:
    """`clusters` are those that this process serves; others of the same ledger are left alone."""

    ledger: Ledger
    clusters: Mapping[str, Cluster]
    book: Book
    clock: Clock
    ids: Ids
    hints: Hints
    slots: Slots
    telemetry: Telemetry
