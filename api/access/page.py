"""Who looks at a page, or presses a button of it: the same roles as for the API.

A page asks for one of them, and has the caller, the session's CSRF token, and the fields of a form that was sent off:

    @router.get("/releases/{id}", include_in_schema=False)
    def show(viewer: PageViewer, ...) -> HTMLResponse:
        ...  # viewer.caller.principal, viewer.caller.role.covers(Role.OPERATOR)

    @router.post("/releases/{id}/abort", include_in_schema=False)
    async def abort(page: PageApprover, call: Calling, ...) -> Response:
        ...  # page.form["reason"]

Every form has `<input type="hidden" name="csrf" value="{{ viewer.csrf }}">`; a script sends the header `X-CSRF-Token`
instead. `Calling` and everything that is built on it (`Act` of the actions) work in such a route as they do below /v1,
and the history then says `page`. A script may also read everything below /v1, the stream too, by its cookie alone;
below /v1 a cookie changes nothing.

Whoever is not signed in is sent to /login and comes back to the page that they were on. The role is missing: 403.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

import structlog
from fastapi import Depends, FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from api.access import forms
from api.access.caller import Caller
from api.auth import check_role
from api.services import App
from delivery.model.role import Role

_SAFE = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class PageCaller:
    caller: Caller
    csrf: str
    form: Mapping[str, str]


class SignInFirst(Exception):
    """Sends a browser to /login, and from there back to `path`."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class _Needs:
    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(self, request: Request, app: App) -> PageCaller:
        signed_in = await run_in_threadpool(app.sessions.find, app.sessions.secret(request))
        if signed_in is None:
            raise SignInFirst(_page(request))
        structlog.contextvars.bind_contextvars(token=signed_in.caller.name, principal=signed_in.caller.principal)
        app.rates.caller(signed_in.caller.name, request.method, request.url.path)
        form: Mapping[str, str] = {}
        if request.method not in _SAFE:
            forms.check_origin(request, app.services.public_url)
            form = await forms.read(request)
            forms.check_token(request, form, signed_in.csrf)
        check_role(signed_in.caller, self.role)
        request.state.caller = signed_in.caller
        return PageCaller(signed_in.caller, signed_in.csrf, form)


def _page(request: Request) -> str:
    """The page that somebody was on: for a form that was sent off, the one that had it."""
    url = request.url if request.method in _SAFE else urlsplit(request.headers.get("referer", ""))
    return url.path + (f"?{url.query}" if url.query else "")


PageViewer = Annotated[PageCaller, Depends(_Needs(Role.VIEWER))]
PageApprover = Annotated[PageCaller, Depends(_Needs(Role.APPROVER))]
PageOperator = Annotated[PageCaller, Depends(_Needs(Role.OPERATOR))]
PageAdmin = Annotated[PageCaller, Depends(_Needs(Role.ADMIN))]


def install(app: FastAPI, public_url: str) -> None:
    """Turns SignInFirst into the way to /login."""

    async def redirect(_: Request, error: Exception) -> RedirectResponse:
        path = error.path if isinstance(error, SignInFirst) else forms.HOME
        return RedirectResponse(forms.sign_in_url(forms.base_path(public_url), path), 303)

    app.add_exception_handler(SignInFirst, redirect)
