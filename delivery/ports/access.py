"""Port: who is signed in. Secrets are kept as their SHA-256 only: whoever reads the database can use none of them."""

from dataclasses import dataclass
from typing import Protocol

from delivery.model.ids import Micros, Principal
from delivery.model.role import Role


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in until `until`. `digest` is the SHA-256 of its cookie in hex.

    `way` and `name` say by what: (token, the token's name) or (oidc, the subject).
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

    def open_session(self, session: Session, now: Micros) -> None:
        """Keeps it, and forgets those that are over."""

    def session(self, digest: str) -> Session | None:
        """As it was opened, also where it is over."""

    def close_session(self, digest: str) -> None: ...
