"""Who sends a request, and by what we know."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from delivery.model.ids import Principal
from delivery.model.role import Role
from delivery.model.scope import EVERYTHING, Scope


class Came(StrEnum):
    """How a caller proved who they are."""

    TOKEN = "token"  # a bearer token of ours
    OIDC = "oidc"  # a token of the organisation's provider
    CI = "ci"  # the token of a job's run
    PAGE = "page"  # a browser that is signed in


@dataclass(frozen=True, slots=True)
class Caller:
    """`name` is the credential's: that of the token, also where a browser signed in with it. `principal` is the person:
    the same whatever they come with, so that four eyes stay four. One of `scopes` has to reach as far as what is asked.
    `once`: the credential is for one run, told from all others by this.
    """

    name: str
    principal: Principal
    role: Role
    groups: tuple[str, ...]
    came: Came
    scopes: tuple[Scope, ...] = (EVERYTHING,)
    once: str = ""

    @property
    def credential(self) -> str:
        """The name by which it is told from every other: who comes by the provider may be called as a token is."""
        return f"oidc {self.name}" if self.came is Came.OIDC else self.name

    @property
    def unlimited(self) -> bool:
        return any(scope.everything for scope in self.scopes)

    def refusal(
        self, action: str, service: str | None, owners: Collection[str], clusters: Collection[str] | None
    ) -> str:
        """Why no scope of theirs reaches that far, as `Scope.refusal`; empty where one does."""
        refusals = [scope.refusal(action, service, owners, clusters) for scope in self.scopes]
        return "" if "" in refusals else "; ".join(dict.fromkeys(refusals))

    @property
    def via(self) -> str:
        """The way in, as the history tells it."""
        return "page" if self.came is Came.PAGE else "api"
