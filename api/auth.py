"""Named bearer tokens with a role. Everything below /v1 needs one, but what its sender signs: webhooks, and Slack."""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated

import structlog
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import Problem
from delivery.settings import Role, Token

_SCHEME = HTTPBearer(
    auto_error=False, scheme_name="token", description="A token of the server's configuration. Its role decides."
)


def find(tokens: Sequence[Token], secret: str) -> Token | None:
    """The token with this secret. Looks at every token, so that the time tells nothing."""
    digest = sha256(secret.encode("latin-1", "replace")).hexdigest()
    found = None
    for token in tokens:
        if hmac.compare_digest(token.sha256, digest):
            found = token
    return found


class Authenticate:
    """Refuses requests below /v1 that carry no valid token, before their body is read or their path looked up."""

    def __init__(self, app: ASGIApp, tokens: Sequence[Token]) -> None:
        self._app = app
        self._tokens = tuple(tokens)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _guarded(scope["path"]):
            token = find(self._tokens, _bearer(scope))
            if token is None:
                raise Problem(
                    "unauthenticated",
                    "send a valid token as `Authorization: Bearer TOKEN`",
                    {"WWW-Authenticate": 'Bearer realm="delivery"'},
                )
            scope["state"]["token"] = token
            structlog.contextvars.bind_contextvars(token=token.name, principal=token.principal)
        await self._app(scope, receive, send)


def _guarded(path: str) -> bool:
    return path.startswith("/v1/") and not path.startswith(("/v1/webhooks/", "/v1/slack/"))


def _bearer(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, secret = value.decode("latin-1").partition(" ")
            return str(secret.strip()) if scheme.lower() == "bearer" else ""
    return ""


class _Needs:
    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(
        self, request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(_SCHEME)] = None
    ) -> Token:
        token: Token = request.state.token
        if not token.role.covers(self.role):
            raise Problem(
                "forbidden",
                f"this needs the role {self.role.value}; token {token.name} has the role {token.role.value}",
                needed=self.role.value,
            )
        return token


Viewer = Annotated[Token, Depends(_Needs(Role.VIEWER))]
Approver = Annotated[Token, Depends(_Needs(Role.APPROVER))]
Operator = Annotated[Token, Depends(_Needs(Role.OPERATOR))]
Admin = Annotated[Token, Depends(_Needs(Role.ADMIN))]
