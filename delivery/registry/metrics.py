"""Metrics to choose from, and what is known of each without asking it."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from delivery.catalog.measured import Measured
from delivery.model.ids import Micros
from delivery.ports.metrics import Metrics, Past
from delivery.registry.surroundings import Surroundings


def _envoy_metrics(around: Surroundings, *, admin: str) -> Metrics:
    from delivery.adapters.metrics.envoy import EnvoyMetrics

    return EnvoyMetrics(admin, around.clock)


def _prometheus_metrics(
    around: Surroundings,
    *,
    url: str,
    token: str | None = None,
    username: str | None = None,
    password: str | None = None,
    ca: str | None = None,
    **options: Any,
) -> Metrics:
    """`ca` is a file with the authorities to trust; the other options are those of `configured.Options`."""
    from delivery.adapters.metrics.prometheus.configured import Options, connect
    from delivery.adapters.metrics.prometheus.server import Access

    return connect(url, Access(token, username, password, ca), Options(**options), around.clock, around.locate)


def measured(kind: str, arguments: Mapping[str, Any]) -> Measured | None:
    """What metrics of this kind measure beside requests, as far as their arguments say; None: nobody knows.

    Arguments that are wrong are told where the metrics are made, not here.
    """
    if kind == "envoy":
        return Measured()
    if kind != "prometheus":
        return None
    from delivery.adapters.metrics.prometheus.configured import Options, gauged, mixing, rated, timed

    names = {one.name for one in fields(Options)}
    try:
        options = Options(**{name: value for name, value in arguments.items() if name in names})
        return Measured(rated(options), gauged(options), timed(options), mixing(options))
    except (TypeError, ValueError):
        return None


def past(
    url: str,
    service: str,
    template: str | None,
    where: Mapping[str, str],
    access: tuple[str | None, str | None, str | None],
    at: Micros,
) -> tuple[Past, tuple[str, tuple[str, ...]]]:
    """A service's past in a Prometheus; see `wiring.past`."""
    from delivery.adapters.metrics.prometheus.past import find
    from delivery.adapters.metrics.prometheus.server import Access, Server

    token, pair, ca = access
    username, _, password = (pair or "").partition(":")
    server = Server(url, Access(token, username or None, password or None, ca), seconds=60.0)
    found = find(server, service, template, where, at)
    return found, (found.template, found.labels)


def _memory_metrics(around: Surroundings) -> Metrics:
    from delivery.adapters.metrics.memory import MemoryMetrics

    return MemoryMetrics(around.clock)


METRICS: Mapping[str, Callable[..., Metrics]] = {
    "envoy": _envoy_metrics,
    "memory": _memory_metrics,
    "prometheus": _prometheus_metrics,
}
