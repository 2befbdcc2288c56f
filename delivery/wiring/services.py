"""Service files: read, checked, and made into services, by what this server offers them."""

from collections.abc import Mapping

from delivery import registry
from delivery.adapters.catalog import yaml_file
from delivery.catalog.check import check as check_service
from delivery.catalog.document import Document
from delivery.catalog.service import Offers
from delivery.catalog.service import parse as parse_service
from delivery.catalog.workloads import Runs
from delivery.model.plan import Plan
from delivery.model.service import Service
from delivery.registry import choose
from delivery.settings import Adapter, Settings
from delivery.strategies.plan import compile_plan


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
            makes="git" not in cluster.workloads.arguments,
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
