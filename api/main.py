"""The ASGI application of a server: settings -> wiring -> app. Run with `uvicorn api.main:app --factory`."""

import os

from fastapi import FastAPI

from api.app import create_app
from api.services import AppServices
from delivery import wiring
from delivery.settings import load


def app() -> FastAPI:
    """A process's application, configured as DELIVERY_CONFIG says."""
    wired = wiring.wire(load(os.environ))
    return create_app(services(wired), wired.telemetry.registry, wired.close)


def services(wired: wiring.Wired) -> AppServices:
    """What the routes need of a wired service."""
    return AppServices(
        ledger=wired.ledger,
        history=wired.history,
        inbox=wired.inbox,
        book=wired.book,
        clock=wired.clock,
        hints=wired.hints,
        sources=wired.sources,
        read=wiring.read,
        check=wired.check,
        tokens=wired.settings.tokens,
        clusters=tuple(wired.settings.clusters),
        public_url=wired.settings.server.public_url,
    )
