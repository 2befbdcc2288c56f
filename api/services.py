"""What the API is made of: ports and engine objects, ready to use. Routes read no settings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends, Request

from api.access.keyring import Keyring
from api.access.proofs import Senders
from api.access.sessions import Sessions
from api.clock import LoopClock
from api.intake import Intake
from api.oidc.setup import Identity, SignIn
from api.people import People
from api.rates import Rates
from api.telemetry import Counters
from delivery.catalog.document import Document
from delivery.engine.answer import Answer, Arrival
from delivery.engine.book import Book
from delivery.model.plan import Plan
from delivery.model.release import Release
from delivery.model.service import Service
from delivery.model.verdict import Judgement
from delivery.ports.access import Access
from delivery.ports.clock import Clock
from delivery.ports.erasure import Erasure
from delivery.ports.hints import Hints
from delivery.ports.history import History
from delivery.ports.ledger import Ledger
from delivery.ports.retention import Retention
from delivery.ports.rows import Measuring
from delivery.registry import Batch, Source
from delivery.settings import Limits, Token
from delivery.wiring import SlackApp

Read = Callable[[bytes, str], Document]
"""The text of a service file and the name of the file -> its document. Raises Invalid."""
Check = Callable[[Document], tuple[Service, Plan]]
"""Everything that can be said of a document before it is stored. Raises Invalid."""
Judge = Callable[[Measuring, Release], tuple[Judgement, ...]]
"""What the gates of the stage that was measured last say by now."""


class Admits(Protocol):
    def accept(self, arrivals: Sequence[Arrival]) -> tuple[Answer, ...]:
        """Returns after the commit."""


@dataclass(frozen=True, slots=True)
class AppServices:
    ledger: Ledger
    history: History
    access: Access
    retention: Retention
    erasure: Erasure
    inbox: Admits
    book: Book
    clock: Clock
    hints: Hints
    sources: Mapping[str, Source | Batch]
    read: Read
    check: Check
    judge: Judge
    tokens: tuple[Token, ...]
    clusters: tuple[str, ...]
    public_url: str
    slack: SlackApp | None = None
    people: People = field(default_factory=People)
    identity: Identity = field(default_factory=Identity)
    limits: Limits = field(default_factory=Limits)


class Streams:
    """How many are open. Used on the event loop only."""

    def __init__(self, counters: Counters, most: int = 200) -> None:
        self._counters = counters
        self.most = most
        self._open = 0

    @property
    def full(self) -> bool:
        return self._open >= self.most

    @contextmanager
    def one(self) -> Iterator[None]:
        self._open += 1
        self._counters.streams(1)
        try:
            yield
        finally:
            self._open -= 1
            self._counters.streams(-1)


@dataclass(frozen=True, slots=True)
class Running:
    """The services with what one life of the app adds to them. `clock` is for the event loop: it waits for nothing."""

    services: AppServices
    clock: LoopClock
    intake: Intake
    counters: Counters
    streams: Streams
    keyring: Keyring
    senders: Senders
    sessions: Sessions
    sign_in: SignIn | None
    rates: Rates


# Async, because FastAPI sends whatever is not to a thread, which costs more than all the rest of a webhook.
async def _running(request: Request) -> Running:
    running: Running = request.app.state.running
    return running


App = Annotated[Running, Depends(_running)]


async def _services(running: App) -> AppServices:
    return running.services


Services = Annotated[AppServices, Depends(_services)]
