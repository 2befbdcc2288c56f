"""Tokens: handed out by admins, listed, revoked."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Path

from api.access import reach
from api.access.caller import Caller
from api.access.keyring import digest_of, new_secret
from api.auth import Admin
from api.openapi import READ, WRITE, errors
from api.problems import Problem
from api.schemas.common import Name
from api.schemas.token import TokenIn, TokenMadeOut, TokenOut, TokensOut
from api.services import App, Running
from api.views.token import shown
from delivery.model.ids import HOUR, Micros, Principal
from delivery.model.scope import Scope
from delivery.ports.access import ApiToken

router = APIRouter(prefix="/v1/tokens", tags=["tokens"])
Named = Annotated[Name, Path(alias="name", examples=["ci-checkout"])]
log = structlog.get_logger()


@router.get("", responses=READ)
def list_tokens(app: App, _: Admin) -> TokensOut:
    """List tokens, those of the configuration too: whose they are, how far they reach, when they were used."""
    now = app.services.clock.now()
    configured = [shown(token, now, "configuration") for token in app.keyring.configured]
    return TokensOut(tokens=configured + [shown(token, now, "api") for token in app.services.access.tokens()])


@router.post("", status_code=201, responses=WRITE | errors("name-taken", "unknown-name"))
def create_token(app: App, caller: Admin, body: TokenIn) -> TokenMadeOut:
    """Hand out a token. Its secret is in the answer and nowhere else."""
    reach.check_whole(caller)
    unknown = sorted(set(body.scope.clusters) - set(app.services.clusters))
    if unknown:
        raise Problem("unknown-name", f"there is no cluster {unknown[0]}; there is {', '.join(app.services.clusters)}")
    secret = new_secret()
    token = _made(app, caller, body, secret)
    taken = any(one.name == token.name for one in app.keyring.configured)
    if taken or not app.services.access.add_token(token):
        raise Problem("name-taken", f"there is, or was, a token {token.name}: the history would not tell them apart")
    log.info("token_created", created=token.name, by=caller.principal, role=token.role.value)
    return TokenMadeOut(token=shown(token, token.created_at, "api"), secret=secret)


@router.delete("/{name}", responses=READ | errors("not-found", "in-use"))
def revoke_token(app: App, caller: Admin, name: Named) -> TokenOut:
    """Revoke a token: from now on it opens nothing, and sessions of browsers that began with it are over."""
    reach.check_whole(caller)
    if any(one.name == name for one in app.keyring.configured):
        raise Problem("in-use", f"{name} is one of the server's configuration: take it out there")
    access, now = app.services.access, app.services.clock.now()
    revoked = access.revoke_token(name, caller.principal, now)
    token = access.token_named(name)
    if token is None:
        raise Problem("not-found", f"there is no token {name}")
    if revoked:
        log.info("token_revoked", revoked=name, by=caller.principal)
    return shown(token, now, "api")


def _made(app: Running, caller: Caller, body: TokenIn, secret: str) -> ApiToken:
    now, scope = app.services.clock.now(), body.scope
    return ApiToken(
        body.name,
        digest_of(secret),
        Principal(body.principal),
        body.role,
        tuple(body.groups),
        Scope(tuple(scope.services), tuple(scope.owners), tuple(scope.clusters), tuple(scope.actions)),
        now,
        caller.principal,
        None if body.days is None else Micros(now + body.days * 24 * HOUR),
    )
