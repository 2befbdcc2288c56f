"""Port: tokens that were handed out, and browsers that are signed in.

Secrets are kept as their SHA-256 only: whoever reads the database can use none of them.
"""

from dataclasses import dataclass
from typing import Protocol

from delivery.model.ids import Micros, Principal
from delivery.model.role import Role
from delivery.model.scope import Scope


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A bearer token. `digest` is the SHA-256 of its secret in hex. `expires_at` None: never.

    `used_at` is when it was last used, to about a minute. Who revoked it is kept with when; a name is never used again.
    """

    name: str
    digest: str
    principal: Principal
    role: Role
    groups: tuple[str, ...]
    scope: Scope
    created_at: Micros
    created_by: Principal
    expires_at: Micros | None = None
    used_at: Micros | None = None
    revoked_at: Micros | None = None
    revoked_by: Principal | None = None

    def valid(self, now: Micros) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in until `until`. `digest` is the SHA-256 of its cookie in hex.

    `way` and `name` say by what: (token, its name and which secret it had) or (oidc, the subject).
    """

    digest: str
    way: str
    name: str
    principal: Principal
    role: Role
    groups: tuple[str, ...]
    until: Micros


class Access(Protocol):
    """Raises Unavailable."""

    def add_token(self, token: ApiToken) -> bool:
        """False where there is, or was, one of that name."""

    def token(self, digest: str) -> ApiToken | None:
        """As it is stored, also where it is not valid any more."""

    def token_named(self, name: str) -> ApiToken | None: ...

    def tokens(self) -> tuple[ApiToken, ...]:
        """All that were ever handed out, by name."""

    def token_used(self, name: str, at: Micros) -> None: ...

    def revoke_token(self, name: str, by: Principal, at: Micros) -> bool:
        """False where there is none of that name that was not revoked before."""

    def open_session(self, session: Session, now: Micros) -> None:
        """Keeps it, and forgets those that are over."""

    def session(self, digest: str) -> Session | None:
        """As it was opened, also where it is over."""

    def close_session(self, digest: str) -> None: ...
