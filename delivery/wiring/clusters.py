"""A cluster: its adapters behind their ports, as the configuration names them."""

from collections.abc import Iterable, Mapping

from delivery import registry
from delivery.adapters.hooks.http import Host, HttpHooks
from delivery.engine.book import Book
from delivery.engine.cluster import Cluster
from delivery.ports.clock import Clock
from delivery.ports.hooks import Hooks
from delivery.registry import Surroundings, UnknownName
from delivery.settings import Adapter, Settings
from delivery.sources import signing
from delivery.wiring.adapters import make


def clusters_of(settings: Settings, clock: Clock, book: Book, names: Iterable[str]) -> Mapping[str, Cluster]:
    """These clusters. Raises UnknownName for what is not there."""
    processes = {name: (process.command, process.env) for name, process in settings.processes.items()}
    found, http = {}, _http_hooks(settings, clock)
    for name in names:
        if name not in settings.clusters:
            raise UnknownName(f"there is no cluster {name!r}; there is: {', '.join(sorted(settings.clusters))}")
        cluster = settings.clusters[name]
        around = Surroundings(name, clock, book.place, processes, cluster.namespaces)
        found[name] = Cluster(
            name,
            make(registry.MESHES, cluster.mesh, f"clusters.{name}.mesh", around),
            make(registry.WORKLOADS, cluster.workloads, f"clusters.{name}.workloads", around),
            make(registry.METRICS, cluster.metrics, f"clusters.{name}.metrics", around),
            {
                who: make(registry.DEPLOYERS, adapter, f"clusters.{name}.deployers.{who}", around)
                for who, adapter in cluster.deployers.items()
            },
            {"http": http, **_jobs(cluster.jobs, name, around)},
        )
    return found


def _jobs(adapter: Adapter | None, cluster: str, around: Surroundings) -> Mapping[str, Hooks]:
    return {} if adapter is None else {"job": make(registry.JOBS, adapter, f"clusters.{cluster}.jobs", around)}


def _http_hooks(settings: Settings, clock: Clock) -> Hooks:
    for name, host in settings.hooks.items():
        try:
            _ = [signing.key(secret) for secret in host.secrets]
        except ValueError as error:
            raise UnknownName(f"hooks.{name}.secrets: {error}") from None
    return HttpHooks({name: Host(one.url, one.secrets, one.ca) for name, one in settings.hooks.items()}, clock)
