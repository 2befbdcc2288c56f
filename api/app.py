"""The ASGI application, put together from what wiring made."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from opentelemetry.trace import TracerProvider
from starlette.concurrency import run_in_threadpool

from api import docs, openapi, problems, tracing
from api.access import page
from api.access.cookies import Cookies
from api.access.keyring import Keyring
from api.access.proofs import Proofs, Senders
from api.access.sessions import Sessions
from api.auth import Authenticate
from api.clock import LoopClock
from api.headers import SecurityHeaders
from api.intake import Intake
from api.limits import BodyLimit
from api.oidc.setup import jobs, trusted
from api.pages.problem import told
from api.pages.routes import PAGES
from api.rates import Rate, Rates
from api.requests import Requests
from api.routes import ROUTERS
from api.services import AppServices, Running, Streams
from api.slack.desk import Desk
from api.slack.socket import Socket
from api.telemetry import Counters, LedgerState, Metrics, OwnMetrics

DESCRIPTION = """
Takes a new version of a service to its users step by step, watches it, and goes back by itself.

Every path below `/v1` needs a token (`Authorization: Bearer ...`), but `/v1/webhooks/{source}`, where the sender signs
what it sends, or a job of CI shows the token of its run. Errors are problem documents (RFC 9457) whose `type` is for
programs. Times are RFC 3339 in UTC, ids sort by time of creation, and pages follow the `Link` header.
"""
TAGS = [
    {"name": "events in", "description": "What CI and other systems send."},
    {"name": "releases", "description": "What is and was released, and why it is where it is."},
    {"name": "actions", "description": "A person's word to one release."},
    {"name": "services", "description": "Service files as applied, and what a release of them would do."},
    {"name": "stop", "description": "No raises, anywhere or in part, until it is lifted. Reverts go on."},
    {"name": "queues", "description": "Dead rows of the inbox and the outbox, and alerts."},
    {"name": "tokens", "description": "Who may do what. For admins."},
    {"name": "history", "description": "The whole history, to be checked by anybody, and what was done to it."},
    {"name": "health", "description": "For load balancers and Prometheus. No token."},
]


def create_app(
    services: AppServices,
    metrics: Metrics | None = None,
    close: Callable[[], None] = lambda: None,
    traces: TracerProvider | None = None,
) -> FastAPI:
    """`metrics` is where the API's own are added; a process without others needs none. `close` is called at the end.
    `traces` is who is told of requests.
    """
    metrics = metrics or OwnMetrics()
    counters, clock = Counters(metrics.registry), services.clock
    state = LedgerState(services.ledger, services.history, clock, services.clusters)
    intake = Intake(services.inbox.accept, counters.batch)

    keyring = Keyring(services.tokens, services.access, clock)
    secure = services.public_url.startswith("https:")
    sessions = Sessions(services.access, clock, keyring, Cookies(secure=secure))
    rates = Rates(Rate(services.limits.token_per_second), Rate(services.limits.source_per_second))
    ci = jobs(services.identity, services.public_url)
    senders = Senders({one: [ci[name] for name in names] for one, names in services.identity.senders.items()}, clock)
    trust, sign_in = trusted(services.identity, ci, services.tokens, services.public_url)
    streams, kept = Streams(counters), LoopClock(clock)
    running = Running(services, kept, intake, counters, streams, keyring, senders, sessions, sign_in, rates)
    desk = Desk(running, services.slack) if services.slack else None
    socket = Socket(services.slack, desk) if services.slack and services.slack.app_token and desk else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        intake.start()
        if socket is not None:
            socket.start(asyncio.get_running_loop())
        try:
            async with kept.running():
                yield
        finally:
            if socket is not None:
                await run_in_threadpool(socket.stop)
            intake.stop()
            close()

    app = FastAPI(
        title="Progressive delivery",
        version="1",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        telemetry=tracing.requests(traces),
        servers=[{"url": services.public_url}],
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.running, app.state.desk, app.state.metrics = running, desk, metrics.visible([state])
    problems.install(app, told)
    openapi.install(app)
    page.install(app, services.public_url)
    docs.install(app, services.public_url)
    for router in (*ROUTERS, *PAGES):
        app.include_router(router)
    app.add_middleware(BodyLimit)
    app.add_middleware(Authenticate, proofs=Proofs(keyring, trust, clock), sessions=sessions, rates=rates)
    app.add_middleware(Requests, counters=counters)
    app.add_middleware(SecurityHeaders, https=secure)
    return app
