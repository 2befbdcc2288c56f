"""Who sends a request, and by what we know."""

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
    the same whatever they come with, so that four eyes stay four. `once`: the credential is for one run, told from all
    others by this.
    """

    name: str
    principal: Principal
    role: Role
    groups: tuple[str, ...]
    came: Came
    scope: Scope = EVERYTHING
    once: str = ""

    @property
    def via(self) -> str:
        """The way in, as the history tells it."""
        return "page" if self.came is Came.PAGE else "api"
