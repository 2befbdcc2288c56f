"""The tables of the configuration, and the whole of it."""

from pydantic import Field, model_validator

from delivery.model.outward import Topic
from delivery.settings.access import Ci, Limits, Oidc, Person, Token
from delivery.settings.base import Adapter, BaseUrl, Model, Name
from delivery.settings.retention import Retention


class Cluster(Model):
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


class Process(Model):
    """How the `process` adapter starts a version; `{version}`, `{identity}`, `{image}` and `{port}` are filled in."""

    command: tuple[str, ...] = Field(min_length=1, strict=False, description="a list: the program and its arguments")
    env: dict[str, str] = Field(default_factory=dict, description="a table of texts, added to the environment")


class Source(Model):
    """Who may send events to `/v1/webhooks/NAME`. Several secrets: all are accepted, for rotation.

    `ci` names tables [ci.NAME], whose jobs may send by the token of their run, without a secret.
    """

    dialect: str = Field(min_length=1, description='the name of a dialect, such as "cloudevents"')
    secrets: tuple[str, ...] = Field(
        default=(),
        min_length=1,
        strict=False,
        repr=False,
        description="at least one secret: without one nothing is accepted",
    )
    ci: tuple[Name, ...] = Field(
        default=(), strict=False, description="a list of tables [ci.NAME] whose jobs may send without a secret"
    )


class Subscriber(Adapter):
    """Another system that is told of releases; every other key is an argument of the adapter `kind`."""

    services: tuple[str, ...] = Field(default=(), strict=False, description="a list of services, `checkout-*` too")
    owners: tuple[str, ...] = Field(default=(), strict=False, description="a list of owners of services")
    clusters: tuple[str, ...] = Field(default=(), strict=False, description="a list of clusters")
    events: tuple[Topic, ...] = Field(
        default=(), strict=False, description=f"a list of events: {', '.join(topic.value for topic in Topic)}"
    )


class HookHost(Model):
    """An address that hooks of service files may call: they add a path to it. Several secrets: each signs."""

    url: BaseUrl = Field(description="the http(s) URL that paths are added to")
    secrets: tuple[str, ...] = Field(min_length=1, strict=False, repr=False, description="at least one secret")
    ca: str | None = Field(default=None, description="a file with the certificate authorities to trust")


class Server(Model):
    public_url: BaseUrl = Field(
        default="http://127.0.0.1:8080", description="the http(s) URL under which people and CI reach the API"
    )
    listen: str = Field(
        default="127.0.0.1:8080", pattern=r"^\S+:\d{1,5}$", description="HOST:PORT to listen on, such as 127.0.0.1:8080"
    )


class Database(Model):
    url: str = Field(
        min_length=1, repr=False, description='a database URL: "sqlite:///FILE" or "postgresql+psycopg://..."'
    )


class Broker(Model):
    url: str = Field(pattern=r"^rediss?://", repr=False, description='a Redis URL: "redis://HOST:PORT/0"')


class Settings(Model):
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
    retention: Retention = Field(default=Retention(), description='a table: [retention] with ticks = "30d"')
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
    def _sources_have_a_proof(self) -> "Settings":
        for name, source in self.sources.items():
            if not source.secrets and not source.ci:
                raise ValueError(f"sources.{name} has neither secrets nor ci: without one nothing is accepted from it")
            if unknown := sorted(set(source.ci) - set(self.ci)):
                there = ", ".join(self.ci) or "none"
                raise ValueError(f"sources.{name}.ci names {', '.join(unknown)}; tables [ci.NAME]: {there}")
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
