"""Bearer tokens, each with a role. Everything below /v1 needs one, but what its sender signs: webhooks, and Slack.

Pages have `api.access.page`. A browser that is signed in may read below /v1 too: its own page follows the stream there.
"""

from typing import Annotated

import structlog
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access.caller import Caller
from api.access.proofs import Proofs
from api.access.sessions import Sessions
from api.oidc.verify import Untrusted
from api.problems import Problem
from api.rates import Rates
from delivery.model.role import Role

_SCHEME = HTTPBearer(
    auto_error=False, scheme_name="token", description="A token. Its role decides, and its scope how far."
)


class Authenticate:
    """Refuses requests below /v1 that carry no valid token, before their body is read or their path looked up."""

    def __init__(self, app: ASGIApp, proofs: Proofs, sessions: Sessions, rates: Rates) -> None:
        self._app = app
        self._proofs = proofs
        self._sessions = sessions
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _guarded(scope["path"]):
            caller = await self._caller(HTTPConnection(scope))
            if caller is None:
                raise _unauthenticated(_missing(scope))
            scope["state"]["caller"] = caller
            structlog.contextvars.bind_contextvars(token=caller.name, principal=caller.principal)
            self._rates.caller(caller.credential, scope["method"], scope["path"])
        await self._app(scope, receive, send)

    async def _caller(self, request: HTTPConnection) -> Caller | None:
        given = request.headers.get("authorization")
        if given is not None:
            try:
                return await run_in_threadpool(self._proofs.caller, bearer(given))
            except Untrusted as error:
                raise _unauthenticated(f"this token does not count: {error}") from None
        cookie = self._sessions.secret(request) if request.scope["method"] in ("GET", "HEAD") else ""
        if not cookie:
            return None
        signed_in = await run_in_threadpool(self._sessions.find, cookie)
        return signed_in.caller if signed_in else None


def _missing(scope: Scope) -> str:
    """Why nobody is known: nothing was sent, or what was sent is nobody's."""
    if "authorization" not in Headers(scope=scope):
        return "no token was sent: send one as `Authorization: Bearer TOKEN`"
    return "this token does not count: it is unknown, was revoked, or has expired"


def _unauthenticated(detail: str) -> Problem:
    return Problem("unauthenticated", detail, {"WWW-Authenticate": 'Bearer realm="delivery"'})


def _guarded(path: str) -> bool:
    return path.startswith("/v1/") and not path.startswith(("/v1/webhooks/", "/v1/slack/"))


def bearer(header: str) -> str:
    """The token in an Authorization header; empty where there is none."""
    scheme, _, secret = header.partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def check_role(caller: Caller, needed: Role) -> None:
    """Raises Problem where the caller's role is less."""
    if not caller.role.covers(needed):
        raise Problem(
            "forbidden",
            f"this needs the role {needed.value}; {caller.name} has the role {caller.role.value}",
            needed=needed.value,
        )


class _Needs:
    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(
        self, request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(_SCHEME)] = None
    ) -> Caller:
        caller: Caller = request.state.caller
        check_role(caller, self.role)
        return caller


Viewer = Annotated[Caller, Depends(_Needs(Role.VIEWER))]
Approver = Annotated[Caller, Depends(_Needs(Role.APPROVER))]
Operator = Annotated[Caller, Depends(_Needs(Role.OPERATOR))]
Admin = Annotated[Caller, Depends(_Needs(Role.ADMIN))]
