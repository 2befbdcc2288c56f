"""Signing in at the organisation's provider."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from api.access import forms
from api.oidc.flow import LASTS, Attempt
from api.oidc.setup import SignIn
from api.oidc.verify import Untrusted
from api.problems import Problem
from api.routes.login import let_in, login_page
from api.services import App, Running

router = APIRouter(include_in_schema=False)
log = structlog.get_logger()


@router.get("/login/oidc")
async def begin(app: App, wanted: Annotated[str, Query(alias="next")] = forms.HOME) -> Response:
    """Off to the provider; what was begun stays in the browser."""
    attempt = Attempt.new(forms.local(wanted))
    url = await run_in_threadpool(_sign_in(app).flow.begin, attempt)
    response = RedirectResponse(url, 303)
    app.sessions.cookies.set(response, "login", attempt.sealed(), LASTS)
    return response


@router.get("/login/oidc/callback")
async def end(app: App, request: Request) -> Response:
    """Back from the provider."""
    sign_in = _sign_in(app)
    attempt = Attempt.opened(app.sessions.cookies.get(request, "login"))
    onward = attempt.onward if attempt else forms.HOME
    now = app.clock.now()
    try:
        claims = await run_in_threadpool(sign_in.flow.end, attempt, request.query_params, now)
        caller = sign_in.directory.caller(claims)
    except Untrusted as error:
        log.info("sign_in_refused", why=str(error))
        response = login_page(app, onward, f"Signing in failed: {error}.", 401)
    else:
        response = await let_in(app, request, caller, onward)
    app.sessions.cookies.drop(response, "login")
    return response


def _sign_in(app: Running) -> SignIn:
    if app.sign_in is None:
        raise Problem("not-found", "signing in at a provider is not configured ([oidc] client_id)")
    return app.sign_in
