"""Tokens that admins hand out."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from api.schemas.common import In, Line, Name, Out, Time
from delivery.model.role import Role
from delivery.model.scope import ACTIONS

MOST_DAYS = 3650
Group = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._@/+-]{1,128}$")]
"""Of approvers, or an owner."""
Action = Literal[ACTIONS]  # type: ignore[valid-type]


class ScopeIn(In):
    """What it may change; reading is for the role to say. A list that is empty limits nothing; all others must fit."""

    services: list[Name] = Field(default_factory=list, max_length=100)
    owners: list[Group] = Field(default_factory=list, max_length=100, description="At least one of a service's.")
    clusters: list[Name] = Field(default_factory=list, max_length=100)
    actions: list[Action] = Field(default_factory=list, max_length=len(ACTIONS))


class TokenIn(In):
    """`principal` is the person, or the robot, by the name that they have everywhere: four eyes go by it."""

    name: Name
    principal: Annotated[Line, Field(max_length=128)]
    role: Role
    groups: list[Group] = Field(default_factory=list, max_length=100, description="Groups of approvers.")
    scope: ScopeIn = Field(default_factory=ScopeIn)
    days: int | None = Field(90, ge=1, le=MOST_DAYS, description="How long it is valid; null: until it is revoked.")

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "ci-checkout", "principal": "ci", "role": "operator", "scope": {"services": ["checkout"]}}
            ]
        },
    )


class ScopeOut(Out):
    services: list[str]
    owners: list[str]
    clusters: list[str]
    actions: list[str]


class TokenOut(Out):
    name: str
    principal: str
    role: Role
    groups: list[str]
    scope: ScopeOut
    state: Literal["valid", "expired", "revoked"]
    made_in: Literal["api", "configuration"] = Field(description="Those of the configuration are revoked there.")
    created_at: Time | None = None
    created_by: str | None = None
    expires_at: Time | None = None
    used_at: Time | None = Field(None, description="Last, to about a minute; unknown for those of the configuration.")
    revoked_at: Time | None = None
    revoked_by: str | None = None


class TokensOut(Out):
    tokens: list[TokenOut]


class TokenMadeOut(Out):
    token: TokenOut
    secret: str = Field(description="Shown this once: only its hash is kept.")
