"""The server's configuration: one TOML file, and environment variables for what must not be written into it.

TOML because Python reads it without a library, it has no aliases and guesses no types (`no` stays text), and because
a server's file should not be taken for a service's. Wiring turns this into plain arguments; nothing else reads it.
"""

import re
import tomllib
import types
import typing
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from delivery.model.ids import SECOND, Micros
from delivery.model.outward import Topic
from delivery.model.role import Role
from delivery.model.scope import ACTIONS, Scope

DEFAULT_PATH = "delivery.toml"
OVERRIDES: Mapping[str, tuple[str, str]] = {
    "DELIVERY_DATABASE_URL": ("database", "url"),
    "DELIVERY_BROKER_URL": ("broker", "url"),
    "DELIVERY_PUBLIC_URL": ("server", "public_url"),
}
"""Environment variables that win over the file, with the field that each sets."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""A DNS-1123 label: it becomes part of URLs, keys and metric labels."""
Action = Literal[ACTIONS]  # type: ignore[valid-type]


def _base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ValueError("not an http(s) URL")
    return url.rstrip("/")


class SettingsError(Exception):
    """The configuration cannot be used. `mistakes` are (field, what is wrong and what is expected)."""

    def __init__(self, path: str, mistakes: tuple[tuple[str, str], ...]) -> None:
        lines = [f"  {field}: {text}" if field else f"  {text}" for field, text in mistakes]
        super().__init__("\n".join([f"{path}: the configuration cannot be used:", *lines]))
        self.mistakes = mistakes


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Adapter(BaseModel):
    """An adapter by name; every other key is an argument of that adapter."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    kind: str = Field(min_length=1, description='the name of an adapter, such as "envoy"')

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Cluster(_Model):
    mesh: Adapter = Field(description='a table with the mesh adapter: {kind = "envoy", ...}')
    workloads: Adapter = Field(description='a table with the workloads adapter: {kind = "process", ...}')
    metrics: Adapter = Field(description='a table with the metrics adapter: {kind = "envoy", ...}')
    deployers: dict[Name, Adapter] = Field(
        default_factory=dict, description='tables of who else puts versions there: argocd = {kind = "argocd", ...}'
    )
    namespaces: tuple[Name, ...] = Field(
        default=(), strict=False, description="a list of the namespaces that service files may name"
    )
    jobs: Adapter | None = Field(
        default=None, description='a table: {kind = "kubernetes", templates = ["*-hook"], ...}, for hooks that are Jobs'
    )


class Process(_Model):
    """How the `process` adapter starts a version; `{version}`, `{identity}`, `{image}` and `{port}` are filled in."""

    command: tuple[str, ...] = Field(min_length=1, strict=False, description="a list: the program and its arguments")
    env: dict[str, str] = Field(default_factory=dict, description="a table of texts, added to the environment")


class Source(_Model):
    """Who may send events to `/v1/webhooks/NAME`. Several secrets: all are accepted, for rotation."""

    dialect: str = Field(min_length=1, description='the name of a dialect, such as "cloudevents"')
    secrets: tuple[str, ...] = Field(
        min_length=1, strict=False, repr=False, description="at least one secret: without one nothing is accepted"
    )


class Subscriber(Adapter):
    """Another system that is told of releases; every other key is an argument of the adapter `kind`."""

    services: tuple[str, ...] = Field(default=(), strict=False, description="a list of services, `checkout-*` too")
    owners: tuple[str, ...] = Field(default=(), strict=False, description="a list of owners of services")
    clusters: tuple[str, ...] = Field(default=(), strict=False, description="a list of clusters")
    events: tuple[Topic, ...] = Field(
        default=(), strict=False, description=f"a list of events: {', '.join(topic.value for topic in Topic)}"
    )


class HookHost(_Model):
    """An address that hooks of service files may call: they add a path to it. Several secrets: each signs."""

    url: Annotated[str, AfterValidator(_base_url)] = Field(description="the http(s) URL that paths are added to")
    secrets: tuple[str, ...] = Field(min_length=1, strict=False, repr=False, description="at least one secret")
    ca: str | None = Field(default=None, description="a file with the certificate authorities to trust")


class Token(_Model):
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


class Person(_Model):
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


class Oidc(_Model):
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


class CiRule(_Model):
    """Which jobs may start releases of which services."""

    repositories: tuple[str, ...] = Field(
        min_length=1, strict=False, description="a list of repositories by their whole paths: acme/checkout"
    )
    refs: tuple[str, ...] = Field(
        min_length=1, strict=False, description='a list of refs: "refs/heads/main", "refs/tags/v*"'
    )
    services: tuple[Name, ...] = Field(min_length=1, strict=False, description="a list of services")
    clusters: tuple[Name, ...] = Field(default=(), strict=False, description="a list of clusters; without it: all")


class Ci(_Model):
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


class Limits(_Model):
    """Of each process of the API; ten seconds' worth may come at once. What only lowers exposure is never limited."""

    token_per_second: float | None = Field(
        default=50.0, gt=0, strict=False, description="how many requests a second each token, person or job may send"
    )
    source_per_second: float | None = Field(
        default=200.0, gt=0, strict=False, description="how many events a second each source of webhooks may send"
    )


class Server(_Model):
    public_url: Annotated[str, AfterValidator(_base_url)] = Field(
        default="http://127.0.0.1:8080", description="the http(s) URL under which people and CI reach the API"
    )
    listen: str = Field(
        default="127.0.0.1:8080", pattern=r"^\S+:\d{1,5}$", description="HOST:PORT to listen on, such as 127.0.0.1:8080"
    )


class Database(_Model):
    url: str = Field(
        min_length=1, repr=False, description='a database URL: "sqlite:///FILE" or "postgresql+psycopg://..."'
    )


class Broker(_Model):
    url: str = Field(pattern=r"^rediss?://", repr=False, description='a Redis URL: "redis://HOST:PORT/0"')


class Settings(_Model):
    """`broker` None: no hints are sent, and workers find what is due by their scan alone."""

    server: Server = Field(default=Server(), description="a table")
    database: Database = Field(description='a table: [database] with url = "sqlite:///FILE"')
    broker: Broker | None = Field(default=None, description='a table: [broker] with url = "redis://HOST:PORT/0"')
    clusters: dict[Name, Cluster] = Field(min_length=1, description="at least one table [clusters.NAME]")
    processes: dict[Name, Process] = Field(default_factory=dict, description="tables [processes.NAME]")
    sources: dict[Name, Source] = Field(default_factory=dict, description="tables [sources.NAME]")
    hooks: dict[Name, HookHost] = Field(default_factory=dict, description="tables [hooks.NAME]")
    tokens: tuple[Token, ...] = Field(default=(), strict=False, description="tables [[tokens]]")
    people: tuple[Person, ...] = Field(default=(), strict=False, description="tables [[people]]")
    oidc: Oidc | None = Field(default=None, description="a table: [oidc] with the issuer")
    limits: Limits = Field(default=Limits(), description="a table: [limits] with token_per_second")
    ci: dict[Name, Ci] = Field(default_factory=dict, description="tables [ci.NAME]")
    subscribers: dict[Name, Subscriber] = Field(
        default_factory=dict, description='tables [subscribers.NAME] with kind = "webhook"'
    )
    notify: dict[Name, Adapter] = Field(default_factory=dict, description='tables [notify.NAME] with kind = "slack"')

    @model_validator(mode="after")
    def _tokens_are_told_apart(self) -> "Settings":
        for field in ("name", "sha256"):
            values = [getattr(token, field) for token in self.tokens]
            twice = sorted({token.name for token in self.tokens if values.count(getattr(token, field)) > 1})
            if twice:
                raise ValueError(f"two tokens have the same {field} ({', '.join(twice)}); each needs one of its own")
        return self

    @model_validator(mode="after")
    def _receivers_are_told_apart(self) -> "Settings":
        if twice := sorted(set(self.notify) & set(self.subscribers)):
            raise ValueError(f"a channel and a subscriber have the same name: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _people_are_told_apart(self) -> "Settings":
        for field in ("slack", "logins", "oidc"):
            names = [name.lower() for person in self.people for name in getattr(person, field)]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"two people have the same name in {field}: {', '.join(twice)}")
        principals = [person.principal for person in self.people]
        if twice := sorted({name for name in principals if principals.count(name) > 1}):
            raise ValueError(f"two tables [[people]] have the same principal: {', '.join(twice)}")
        return self


def load(environ: Mapping[str, str], path: str | None = None) -> Settings:
    """The configuration from `path`, else from what DELIVERY_CONFIG names, else from ./delivery.toml.

    Raises SettingsError with every mistake.
    """
    path = path or environ.get("DELIVERY_CONFIG") or DEFAULT_PATH
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(path, (("", "there is no such file; name one with --config or DELIVERY_CONFIG"),)) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(path, (("", f"not a readable TOML file: {error}"),)) from error
    return parse(document, environ, path)


def parse(document: Mapping[str, Any], environ: Mapping[str, str], path: str = "settings") -> Settings:
    """Settings from a document as TOML reads it. Raises SettingsError with every mistake."""
    mistakes: list[tuple[str, str]] = []
    resolved = _resolve(document, environ, "", mistakes)
    for variable, (table, key) in OVERRIDES.items():
        if variable in environ:
            resolved.setdefault(table, {})[key] = environ[variable]
    if mistakes:
        raise SettingsError(path, tuple(mistakes))
    try:
        return Settings.model_validate(resolved)
    except ValidationError as error:
        raise SettingsError(path, tuple(_explain(dict(one)) for one in error.errors())) from None


def _resolve(value: Any, environ: Mapping[str, str], place: str, mistakes: list[tuple[str, str]]) -> Any:
    """The value with each `{env = "NAME"}` and `{file = "PATH"}` replaced by what it refers to."""
    if isinstance(value, list):
        return [_resolve(item, environ, f"{place}[{index}]", mistakes) for index, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    match list(value.items()):
        case [("env", str(name))]:
            if name not in environ:
                mistakes.append((place, f"the environment variable {name} is not set"))
            return environ.get(name)
        case [("file", str(name))]:
            try:
                return Path(name).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                mistakes.append((place, f"cannot read the file that it names: {error}"))
                return None
    return {key: _resolve(item, environ, f"{place}.{key}" if place else key, mistakes) for key, item in value.items()}


def _explain(error: Mapping[str, Any]) -> tuple[str, str]:
    loc = tuple(part for part in error["loc"] if part != "[key]")
    place = re.sub(r"\.\[", "[", ".".join(f"[{part}]" if isinstance(part, int) else str(part) for part in loc))
    if error["loc"][-1:] == ("[key]",) and error["type"] != "enum":
        return place, "not a DNS-1123 name (lower-case letters, digits and -)"
    if error["type"] == "extra_forbidden":
        near = get_close_matches(str(loc[-1]), _fields_at(loc[:-1]), n=1)
        return place, "unknown field" + (f"; did you mean {near[0]}?" if near else "")
    if not loc:
        return "", str(error["msg"]).removeprefix("Value error, ")
    found = "missing" if error["type"] == "missing" else "not usable"
    expected = _description(loc)
    return place, f"{found}; expected {expected}" if expected else f"{found}; {error['msg']}"


def _description(loc: tuple[int | str, ...]) -> str:
    """What the innermost described field on the way to `loc` expects."""
    found, kind = "", typing.cast(Any, Settings)
    for part in loc:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(part))
            if field is None:
                return found
            found, kind = field.description or found, _inner(field.annotation)
        else:
            kind = _inner(typing.get_args(kind)[-1 if isinstance(part, str) else 0])
    return found


def _fields_at(loc: tuple[int | str, ...]) -> list[str]:
    kind: Any = Settings
    for part in loc:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = _inner(kind.model_fields[str(part)].annotation)
        else:
            kind = _inner(typing.get_args(kind)[-1 if isinstance(part, str) else 0])
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _inner(kind: Any) -> Any:
    """`X | None` as X."""
    if isinstance(kind, types.UnionType):
        return next(arg for arg in typing.get_args(kind) if arg is not type(None))
    return kind
