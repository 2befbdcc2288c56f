"""The ASGI application of a server: settings -> wiring -> app. Run with `uvicorn api.main:app --factory`."""

import logging
import os
import sys
from collections.abc import Callable
from functools import partial

from fastapi import FastAPI

from api.access import first
from api.app import create_app
from api.oidc.setup import Identity
from api.people import People
from api.services import AppServices
from delivery import wiring
from delivery.engine.measure import Measurer
from delivery.settings import Settings, load


def app() -> FastAPI:
    """A process's application, configured as DELIVERY_CONFIG says. Raises SettingsError and UnknownName."""
    wiring.configure_logs("api")
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)  # each request has a line of our own, with its id
    made = served(wiring.wire(load(os.environ), traces=wiring.traces(os.environ, "api")))
    wiring.spare_collector()
    return made


def of(settings: Settings, tell: Callable[[str], object] = sys.stderr.write) -> FastAPI:
    """The application of these settings. `tell` shows the first admin's token to whoever starts it, and to no log.

    Raises UnknownName for what they choose and is not there.
    """
    return served(wiring.wire(settings), tell)


def served(wired: wiring.Wired, tell: Callable[[str], object] = sys.stderr.write) -> FastAPI:
    """The application over a wired service."""
    first.offer(wired.settings, wired.ledger, wired.clock, tell)
    traces = wired.traces.provider if wired.traces is not None else None
    return create_app(services(wired), wired.telemetry, wired.close, traces)


def services(wired: wiring.Wired) -> AppServices:
    """What the routes need of a wired service."""
    return AppServices(
        ledger=wired.ledger,
        history=wired.history,
        access=wired.ledger,
        retention=wired.ledger,
        erasure=wired.ledger,
        inbox=wired.inbox,
        book=wired.book,
        clock=wired.clock,
        hints=wired.hints,
        sources=wiring.sources(wired.settings),
        read=wiring.read,
        check=partial(wiring.check, settings=wired.settings),
        judge=Measurer(wiring.build_gate).judgements,
        tokens=wired.settings.tokens,
        clusters=tuple(wired.settings.clusters),
        public_url=wired.settings.server.public_url,
        slack=wiring.slack(wired.settings),
        people=People(wired.settings.people),
        limits=wired.settings.limits,
        identity=identity(wired.settings),
    )


def identity(settings: Settings) -> Identity:
    """What the configuration trusts."""
    senders = {name: source.ci for name, source in settings.sources.items()}
    return Identity(settings.oidc, settings.ci, settings.people, senders)
