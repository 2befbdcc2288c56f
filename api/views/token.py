"""Tokens, as they are shown: never their secrets, nor the hashes of them."""

from typing import Literal

from api.schemas.token import ScopeOut, TokenOut
from api.views.common import time
from delivery.model.ids import Micros
from delivery.ports.access import ApiToken


def shown(token: ApiToken, now: Micros, made_in: Literal["api", "configuration"]) -> TokenOut:
    scope = token.scope
    return TokenOut(
        name=token.name,
        principal=token.principal,
        role=token.role,
        groups=list(token.groups),
        scope=ScopeOut(
            services=list(scope.services),
            owners=list(scope.owners),
            clusters=list(scope.clusters),
            actions=list(scope.actions),
        ),
        state="revoked" if token.revoked_at is not None else "valid" if token.valid(now) else "expired",
        made_in=made_in,
        created_at=time(token.created_at or None),
        created_by=token.created_by or None,
        expires_at=time(token.expires_at),
        used_at=time(token.used_at),
        revoked_at=time(token.revoked_at),
        revoked_by=token.revoked_by,
    )
