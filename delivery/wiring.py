"""The one place where parts meet: settings in, a whole service out. Nothing else reads settings."""

import gc
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from delivery import registry
from delivery.adapters.catalog import yaml_file
from delivery.adapters.clock.database import DatabaseClock
from delivery.adapters.clock.system import SystemClock
from delivery.adapters.hints.none import NoHints
from delivery.adapters.hooks.http import Host, HttpHooks
from delivery.adapters.ids import UlidIds
from delivery.adapters.ledger.sql import SqlLedger, is_current, upgrade
from delivery.adapters.slots import ThreadSlots
from delivery.adapters.telemetry import logs, otlp
from delivery.adapters.telemetry.prometheus import PrometheusTelemetry
from delivery.catalog.check import check as check_service
from delivery.catalog.document import Document
from delivery.catalog.freeze import frozen
from delivery.catalog.service import Offers
from delivery.catalog.service import parse as parse_service
from delivery.catalog.workloads import Runs
from delivery.engine.book import Book
from delivery.engine.cluster import Cluster
from delivery.engine.drain import Drain
from delivery.engine.fence import Fence
from delivery.engine.inbox import Inbox
from delivery.engine.measure import Measurer
from delivery.engine.observe import Observer
from delivery.engine.outbox import Outbox, Receivers
from delivery.engine.parts import Parts
from delivery.engine.performer import Performer
from delivery.engine.reread import Rereader
from delivery.engine.retention import Keeper, Terms
from delivery.gates.gate import Gate
from delivery.machine.evolve import fold
from delivery.model.ids import Micros
from delivery.model.outward import Subscriber as Concern
from delivery.model.plan import GateSpec, Plan
from delivery.model.service import Service
from delivery.ports.chat import Chat
from delivery.ports.clock import Clock
from delivery.ports.errors import Refused
from delivery.ports.hints import Hints
from delivery.ports.hooks import Hooks
from delivery.ports.ids import Ids
from delivery.ports.metrics import Past
from delivery.ports.subscriber import Subscriber
from delivery.registry import Batch, Source, Surroundings, UnknownName, choose
from delivery.settings import Adapter, Settings
from delivery.sources import signing
from delivery.strategies.plan import compile_plan

if TYPE_CHECKING:
    from delivery.adapters.telemetry.traces import Traces

T = TypeVar("T")


@dataclass(frozen=True)
class Engine:
    """What steps releases, over any adapters: production, tests and the simulation build the same."""

    drain: Drain
    inbox: Inbox
    observer: Observer


@dataclass(frozen=True)
class Wired:
    """The whole service of one process."""

    settings: Settings
    ledger: SqlLedger
    history: SqlLedger
    clock: Clock
    ids: Ids
    hints: Hints
    telemetry: PrometheusTelemetry
    clusters: Mapping[str, Cluster]
    book: Book
    inbox: Inbox
    drains: Mapping[str, Drain]
    rereaders: Mapping[str, Rereader]
    outbox: Outbox
    retention: Keeper
    traces: "Traces | None" = None

    def close(self) -> None:
        """Gives back database connections and ends what works in the background."""
        if self.traces is not None:
            self.traces.close()
        self.hints.close()
        self.ledger.close()


def wire(
    settings: Settings,
    hints: Hints | None = None,
    only: Iterable[str] | None = None,
    traces: "Traces | None" = None,
) -> Wired:
    """Builds the service. `only` names the clusters that this process serves; hints go to the configured broker.

    Raises UnknownName where the settings choose what there is not. Opens no connection yet.
    """
    ledger = SqlLedger(settings.database.url, fold=fold)
    clock = _clock(settings, ledger)
    ids, telemetry = UlidIds(), PrometheusTelemetry(traces)
    hints = hints or _hints(settings, telemetry)
    book = Book(ledger, clock, partial(parse, settings=settings), compile_plan, frozen, subscribers(settings))
    clusters = _clusters(settings, clock, book, settings.clusters if only is None else only)
    parts = Parts(ledger, clusters, book, clock, ids, hints, ThreadSlots(), telemetry)
    receivers = Receivers(_chats(settings), _subscribers(settings))
    outbox = Outbox(ledger, ledger, receivers, book, clock, telemetry, ids.owner())
    inbox = Inbox(parts)
    rereads = {
        name: Rereader(parts, cluster, inbox, ids.owner()) for name, cluster in clusters.items() if cluster.deployers
    }
    kept = settings.retention
    keeper = Keeper(ledger, ledger, Terms(kept.ticks, kept.inbox, kept.outbox), clock, telemetry, ids.owner())
    engine = (inbox, drains(parts), rereads, outbox, keeper)
    return Wired(settings, ledger, ledger, clock, ids, hints, telemetry, clusters, book, *engine, traces)


def configure_logs(service: str) -> None:
    """Structured logs of this process and of every library in it, to stderr; `service` marks them."""
    logs.configure(service)


def traces(environ: Mapping[str, str], part: str) -> "Traces | None":
    """Whom the traces of this process are told to, by OpenTelemetry's variables; `part` is what it is called there."""
    if not otlp.wanted(environ):
        return None
    from delivery.adapters.telemetry.traces import Traces

    return Traces(part)


def spare_collector() -> None:
    """For a process that lives long, once its modules are loaded: the collector of cycles leaves them alone and runs
    less often. Every decision makes thousands of values and no cycles; a quarter of a drain's time went into looking.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def migrate(settings: Settings) -> None:
    """Brings the database to the schema that this version needs; several processes may do so at once."""
    upgrade(settings.database.url)


def is_migrated(settings: Settings) -> bool:
    """Whether the database has this version's schema, or a newer one's. Raises Unavailable where it does not answer."""
    return is_current(settings.database.url)


def drains(parts: Parts) -> Mapping[str, Drain]:
    """A drain for each cluster, to be run side by side: one that does not answer holds up no other."""
    return {name: assemble(replace(parts, clusters={name: parts.clusters[name]})).drain for name in parts.clusters}


def assemble(parts: Parts) -> Engine:
    """The engine over these parts."""
    owner = parts.ids.owner()
    performer = Performer(parts, Fence(parts.ledger, parts.clock, owner), Measurer(build_gate))
    observer = Observer(parts, owner)
    return Engine(Drain(parts, performer, observer, owner), Inbox(parts), observer)


def parse(document: Mapping[str, object] | Document, settings: Settings | None = None) -> Service:
    """A service file's document as a service; with settings, names of the server's configuration are looked up.

    Raises Invalid with every mistake.
    """
    read = document if isinstance(document, Document) else Document(document)
    known = offers(settings) if settings is not None else None
    return parse_service(read, strategies=registry.STRATEGIES, gates=registry.GATES, offers=known)


def offers(settings: Settings) -> Offers:
    """What service files can choose from. Raises UnknownName for a kind of workloads that is not there."""
    clusters = {
        name: Runs(
            choose(registry.RUNS, cluster.workloads.kind, f"clusters.{name}.workloads kind"),
            cluster.namespaces,
            frozenset(cluster.deployers),
            _templates(cluster.jobs),
        )
        for name, cluster in settings.clusters.items()
    }
    measured = {
        name: found
        for name, cluster in settings.clusters.items()
        if (found := registry.measured(cluster.metrics.kind, cluster.metrics.arguments)) is not None
    }
    return Offers(clusters, settings.processes, settings.notify, measured, settings.hooks)


def _templates(jobs: Adapter | None) -> tuple[str, ...]:
    found = jobs.arguments.get("templates") if jobs is not None else ()
    return tuple(map(str, found)) if isinstance(found, list | tuple) else ()


def read(text: bytes, file: str) -> Document:
    """The document in the text of a service file. Raises Invalid."""
    return yaml_file.read_text(text, file)


def check(document: Document, settings: Settings) -> tuple[Service, Plan]:
    """All that can be said of a service file before it is stored. Raises Invalid with every mistake."""
    return check_service(
        document,
        strategies=registry.STRATEGIES,
        gates=registry.GATES,
        compile_plan=compile_plan,
        offers=offers(settings),
    )


def sources(settings: Settings) -> Mapping[str, Source | Batch]:
    """The webhook sources by name. Raises UnknownName for a dialect that is not there or a secret that is none."""
    found = {}
    for name, source in settings.sources.items():
        dialect = choose(registry.SOURCES, source.dialect, f"sources.{name} dialect")
        try:
            found[name] = dialect(name, source.secrets)
        except ValueError as error:
            raise UnknownName(f"sources.{name}.secrets: {error}") from None
        if source.ci and not isinstance(found[name], registry.Vouched):
            raise UnknownName(f"sources.{name}.ci: a job sends cloudevents or cdevents, and not {source.dialect}")
    return found


@dataclass(frozen=True)
class SlackApp:
    """The Slack app whose buttons come back to us: over HTTP where it has a signing secret, else by Socket Mode."""

    token: str
    signing_secret: str
    app_token: str
    base_url: str


def slack(settings: Settings) -> SlackApp | None:
    """The first chat of kind slack. Raises UnknownName where it has no token."""
    for name, adapter in settings.notify.items():
        if adapter.kind == "slack":
            given = {"signing_secret": "", "app_token": "", "base_url": registry.SLACK_API, **adapter.arguments}
            try:
                return SlackApp(**given)
            except TypeError as error:
                raise UnknownName(f"notify.{name}: {error}") from error
    return None


def past(
    url: str,
    service: str,
    template: str | None,
    where: Mapping[str, str],
    access: tuple[str | None, str | None, str | None],
    at: Micros,
) -> tuple[Past, tuple[str, tuple[str, ...]]]:
    """What a Prometheus knows of a service's past, and by which template and labels it was found. Nothing else is
    needed: no server, no configuration. `access`: a token, `USER:PASSWORD`, a file with authorities.

    Raises Refused where nothing is found, Unavailable, and ValueError for what cannot be asked.
    """
    return registry.past(url, service, template, where, access, at)


def build_gate(spec: GateSpec, alpha: float, stages: int) -> Gate:
    """A gate of a plan."""
    return choose(registry.GATES, spec.kind, "gate").build(spec, alpha, stages)


def _clock(settings: Settings, ledger: SqlLedger) -> Clock:
    """With SQLite everything is on this machine; otherwise the database's clock is the one that leases go by."""
    return SystemClock() if settings.database.url.startswith("sqlite") else DatabaseClock(ledger.now)


def _hints(settings: Settings, telemetry: PrometheusTelemetry) -> Hints:
    if settings.broker is None:
        return NoHints()
    from delivery.adapters.hints.broker import make_app
    from delivery.adapters.hints.celery import CeleryHints

    return CeleryHints(make_app(settings.broker.url), lambda outcome: telemetry.count("hints", outcome=outcome))


def _clusters(settings: Settings, clock: Clock, book: Book, names: Iterable[str]) -> Mapping[str, Cluster]:
    processes = {name: (process.command, process.env) for name, process in settings.processes.items()}
    found, http = {}, _http_hooks(settings, clock)
    for name in names:
        if name not in settings.clusters:
            raise UnknownName(f"there is no cluster {name!r}; there is: {', '.join(sorted(settings.clusters))}")
        cluster = settings.clusters[name]
        around = Surroundings(name, clock, book.place, processes, cluster.namespaces)
        found[name] = Cluster(
            name,
            _make(registry.MESHES, cluster.mesh, f"clusters.{name}.mesh", around),
            _make(registry.WORKLOADS, cluster.workloads, f"clusters.{name}.workloads", around),
            _make(registry.METRICS, cluster.metrics, f"clusters.{name}.metrics", around),
            {
                who: _make(registry.DEPLOYERS, adapter, f"clusters.{name}.deployers.{who}", around)
                for who, adapter in cluster.deployers.items()
            },
            {"http": http, **_jobs(cluster.jobs, name, around)},
        )
    return found


def _http_hooks(settings: Settings, clock: Clock) -> Hooks:
    for name, host in settings.hooks.items():
        try:
            _ = [signing.key(secret) for secret in host.secrets]
        except ValueError as error:
            raise UnknownName(f"hooks.{name}.secrets: {error}") from None
    return HttpHooks({name: Host(one.url, one.secrets, one.ca) for name, one in settings.hooks.items()}, clock)


def _jobs(adapter: Adapter | None, cluster: str, around: Surroundings) -> Mapping[str, Hooks]:
    return {} if adapter is None else {"job": _make(registry.JOBS, adapter, f"clusters.{cluster}.jobs", around)}


def _chats(settings: Settings) -> Mapping[str, Chat]:
    base = settings.server.public_url
    return {name: _make(registry.CHATS, adapter, f"notify.{name}", base) for name, adapter in settings.notify.items()}


def subscribers(settings: Settings) -> tuple[Concern, ...]:
    """Who is concerned by what."""
    return tuple(
        Concern(name, one.services, one.owners, one.clusters, one.events) for name, one in settings.subscribers.items()
    )


def _subscribers(settings: Settings) -> Mapping[str, Subscriber]:
    base, table = settings.server.public_url, registry.SUBSCRIBERS
    return {name: _make(table, one, f"subscribers.{name}", base) for name, one in settings.subscribers.items()}


def _make(table: Mapping[str, Callable[..., T]], adapter: Adapter, place: str, *around: Any) -> T:
    make = choose(table, adapter.kind, f"{place} kind")
    try:
        return make(*around, **adapter.arguments)
    except (TypeError, ValueError, Refused) as error:
        raise UnknownName(f"{place}: {error}") from error
