"""Who may come, by what, and how far: tokens, people, the provider of their identity, jobs of CI, rates."""

from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, Field

from delivery.model.ids import SECOND, Micros
from delivery.model.role import Role
from delivery.model.scope import ACTIONS, Scope
from delivery.settings.base import Model, Name

Action = Literal[ACTIONS]  # type: ignore[valid-type]


class Token(Model):
    """A bearer token of the API. Two tokens of one person have the same principal, so that four eyes stay four."""

    name: Name = Field(description="a DNS-1123 name, unique among the tokens")
    principal: str = Field(min_length=1, max_length=128, description="who acts with it, as chat and CI call them")
    role: Role = Field(strict=False, description="viewer, approver, operator or admin")
    groups: tuple[str, ...] = Field(default=(), strict=False, description="a list of approver groups")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False, description="the SHA-256 of the token in 64 hex digits")
    services: tuple[Name, ...] = Field(default=(), strict=False, description="a list of services: it changes no other")
    owners: tuple[str, ...] = Field(default=(), strict=False, description="a list of owners: only their services")
    clusters: tuple[Name, ...] = Field(default=(), strict=False, description="a list of clusters: it changes no other")
    actions: tuple[Action, ...] = Field(
        default=(), strict=False, description=f"a list of actions: it may do no other; of {', '.join(ACTIONS)}"
    )
    expires_at: AwareDatetime | None = Field(default=None, description="a time with its zone: 2027-01-31T00:00:00Z")

    @property
    def scope(self) -> Scope:
        """How far it reaches."""
        return Scope(self.services, self.owners, self.clusters, self.actions)

    @property
    def until(self) -> Micros | None:
        """When it ends."""
        return None if self.expires_at is None else Micros(int(self.expires_at.timestamp()) * SECOND)


class Person(Model):
    """Somebody by every name that other systems have for them. Their tokens have the same `principal`."""

    principal: str = Field(min_length=1, max_length=128, description="the name that they have everywhere here")
    role: Role = Field(strict=False, description="viewer, approver, operator or admin")
    groups: tuple[str, ...] = Field(default=(), strict=False, description="a list of approver groups")
    slack: tuple[str, ...] = Field(default=(), strict=False, description="a list of Slack user ids, such as U0123ABC")
    logins: tuple[str, ...] = Field(default=(), strict=False, description="a list of logins at CI, as events name them")
    oidc: tuple[str, ...] = Field(
        default=(), strict=False, description="a list of what the claim [oidc] claim says of them, such as an address"
    )


def _issuer_url(url: str) -> str:
    """As its tokens write it: not a slash may be more or less."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ValueError("not an http(s) URL")
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError("not https: anybody on the way could let themselves in")
    return url


IssuerUrl = Annotated[str, AfterValidator(_issuer_url)]
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_ALGORITHMS: tuple[Algorithm, ...] = ("RS256", "ES256")
_ALGORITHMS_TEXT = "a list of signature algorithms, such as RS256; none is symmetric"


class Oidc(Model):
    """The organisation's provider of OpenID Connect: people sign in on the page, and bring its tokens to the API."""

    issuer: IssuerUrl = Field(description="the https URL of the issuer, as it writes it in its tokens")
    title: str = Field(default="OpenID Connect", min_length=1, max_length=60, description="what people call it")
    audience: str = Field(default="", description="the audience of the tokens that the API takes; empty: none")
    client_id: str = Field(default="", description="our client there, for the page; empty: no sign-in there")
    client_secret: str = Field(default="", repr=False, description="its secret; empty for a public client")
    scopes: tuple[str, ...] = Field(
        default=("profile", "email"), strict=False, description="a list of scopes to ask for besides openid"
    )
    claim: str = Field(
        default="email", min_length=1, description="the claim that names somebody, and no other can have"
    )
    groups_claim: str = Field(default="groups", min_length=1, description="the claim that lists their groups")
    roles: dict[Annotated[Role, Field(strict=False)], Annotated[tuple[str, ...], Field(strict=False)]] = Field(
        default_factory=dict, description='a table: admin = ["platform"], operator = [...]; "*" is everybody'
    )
    algorithms: tuple[Algorithm, ...] = Field(
        default=_ALGORITHMS, min_length=1, strict=False, description=_ALGORITHMS_TEXT
    )


class CiKind(StrEnum):
    GITHUB = "github"
    GITLAB = "gitlab"


class CiRule(Model):
    """Which jobs may start releases of which services."""

    repositories: tuple[str, ...] = Field(
        min_length=1, strict=False, description="a list of repositories by their whole paths: acme/checkout"
    )
    refs: tuple[str, ...] = Field(
        min_length=1, strict=False, description='a list of refs: "refs/heads/main", "refs/tags/v*"'
    )
    services: tuple[Name, ...] = Field(min_length=1, strict=False, description="a list of services")
    clusters: tuple[Name, ...] = Field(default=(), strict=False, description="a list of clusters; without it: all")


class Ci(Model):
    """A CI whose jobs prove themselves by the token that each run is given."""

    kind: CiKind = Field(strict=False, description="github or gitlab")
    issuer: IssuerUrl | None = Field(default=None, description="the https URL of its issuer; without it the public one")
    audience: str = Field(default="", description="the audience that jobs ask for; without it server.public_url")
    rules: tuple[CiRule, ...] = Field(min_length=1, strict=False, description="tables [[ci.NAME.rules]]")
    algorithms: tuple[Algorithm, ...] = Field(
        default=_ALGORITHMS, min_length=1, strict=False, description=_ALGORITHMS_TEXT
    )

    @property
    def at(self) -> str:
        """Its issuer."""
        public = {CiKind.GITHUB: "https://token.actions.githubusercontent.com", CiKind.GITLAB: "https://gitlab.com"}
        return self.issuer or public[self.kind]


class Limits(Model):
    """Of each process of the API; ten seconds' worth may come at once. What only lowers exposure is never limited."""

    token_per_second: float | None = Field(
        default=50.0, gt=0, strict=False, description="how many requests a second each token, person or job may send"
    )
    source_per_second: float | None = Field(
        default=200.0, gt=0, strict=False, description="how many events a second each source of webhooks may send"
    )
