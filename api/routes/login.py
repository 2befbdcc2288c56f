"""Signing in with a token, and out."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from api.access import forms
from api.access.caller import Caller
from api.access.page import PageViewer
from api.pages import page
from api.services import App, Running

router = APIRouter(include_in_schema=False)
log = structlog.get_logger()


@router.get("/login")
async def ask(app: App, request: Request, wanted: Annotated[str, Query(alias="next")] = forms.HOME) -> Response:
    """The form; whoever is signed in already goes on."""
    if await run_in_threadpool(app.sessions.find, app.sessions.secret(request)):
        return _onward(app.services.public_url, wanted)
    return login_page(app, wanted)


@router.post("/login")
async def sign_in(app: App, request: Request) -> Response:
    """Exchange a token for a cookie."""
    forms.check_origin(request, app.services.public_url)
    form = await forms.read(request)
    wanted = form.get("next", forms.HOME)
    caller = await run_in_threadpool(app.keyring.find, form.get("token", "").strip())
    if caller is None:
        log.info("sign_in_refused", why="no valid token")
        return login_page(app, wanted, "This is no valid token.", 401)
    return await let_in(app, request, caller, wanted)


@router.post("/logout")
async def sign_out(app: App, request: Request, _: PageViewer) -> Response:
    """End the session, here and in the browser; a provider's own goes on."""
    await run_in_threadpool(app.sessions.close, app.sessions.secret(request))
    response = _onward(app.services.public_url, "/login")
    app.sessions.drop_cookie(response)
    return response


def login_page(app: Running, wanted: str, problem: str = "", status: int = 200) -> Response:
    return page(
        "login.html",
        status,
        base=forms.base_path(app.services.public_url),
        next=forms.local(wanted),
        problem=problem,
        provider=app.sign_in.title if app.sign_in else "",
    )


async def let_in(app: Running, request: Request, caller: Caller, wanted: str) -> Response:
    """A new session for who has proven who they are, in the place of the one that was there."""
    await run_in_threadpool(app.sessions.close, app.sessions.secret(request))
    secret = await run_in_threadpool(app.sessions.open, caller)
    log.info("signed_in", through=caller.came.value, name=caller.name, principal=caller.principal)
    response = _onward(app.services.public_url, wanted)
    app.sessions.set_cookie(response, secret)
    return response


def _onward(public_url: str, path: str) -> RedirectResponse:
    return RedirectResponse(forms.base_path(public_url) + forms.local(path), 303)
