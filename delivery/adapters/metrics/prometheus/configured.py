"""What the server's configuration says of a Prometheus -> the adapter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from delivery.adapters.metrics.prometheus.adapter import DEFAULTS, Limits, PrometheusMetrics
from delivery.adapters.metrics.prometheus.custom import PrometheusQueries, Queries
from delivery.adapters.metrics.prometheus.measures import WithMeasures, parse, queries
from delivery.adapters.metrics.prometheus.per_version import PerVersion, mixes
from delivery.adapters.metrics.prometheus.promql import BadQuery, label, metric, places
from delivery.adapters.metrics.prometheus.server import Access, Server
from delivery.adapters.metrics.prometheus.subjects import PLACES, Locate
from delivery.adapters.metrics.prometheus.template import Count, Label, Scope, Template, View, bound_like
from delivery.adapters.metrics.prometheus.templates import TEMPLATES
from delivery.ports.clock import Clock
from delivery.ports.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Options:
    """Arguments besides the server's own; docs/metrics.md says what each means. Times in seconds."""

    template: str = "istio"
    where: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    source: Sequence[str] | None = None
    alive: str | None = None
    bounds: Sequence[int] | None = None
    queries: Mapping[str, Any] | None = None
    measures: Mapping[str, Any] | None = None
    lag: int = 0
    stale: int = DEFAULTS.stale
    seconds: float = DEFAULTS.seconds
    series: int = DEFAULTS.each

    def __post_init__(self) -> None:
        for name, low in (("lag", 0), ("stale", 1), ("seconds", 1), ("series", 1)):
            given = getattr(self, name)
            if isinstance(given, bool) or not isinstance(given, int | float) or given < low:
                raise ValueError(f"{name} is {given!r}; expected a number, at least {low}")
        if self.bounds is not None and not all(type(one) is int and one > 0 for one in self.bounds):
            raise ValueError(f"bounds are {self.bounds!r}; expected whole milliseconds")


def connect(url: str, access: Access, options: Options, clock: Clock, locate: Locate) -> Metrics:
    """The adapter. Raises BadQuery for what cannot be asked, ValueError for an address or access that is none."""
    server = Server(url, access, options.seconds, clock.monotonic)
    found = _counters(server, options, clock, locate)
    if not options.measures:
        return found
    measures = parse(options.measures)
    return WithMeasures(found, measures, PerVersion(server, queries(measures), clock, locate, options.seconds))


def _counters(server: Server, options: Options, clock: Clock, locate: Locate) -> Metrics:
    if options.queries is not None:
        asked = _queries(options.queries)
        return PrometheusQueries(server, asked, clock, locate, options.seconds, options.series, options.lag)
    limits = Limits(options.stale, options.seconds, options.series, max(options.series, DEFAULTS.total))
    scope = Scope({label(name): value for name, value in (options.where or {}).items()}, options.lag)
    return PrometheusMetrics(server, template(options), clock, locate, scope, limits)


def template(options: Options) -> Template:
    """A ready-made template, with what is called differently here."""
    if options.template not in TEMPLATES:
        raise BadQuery(f"there is no template {options.template!r}; there is: {', '.join(TEMPLATES)}")
    found = TEMPLATES[options.template]
    if options.labels is not None:
        found = _relabelled(found, tuple(Label(label(name), _known(text)) for name, text in options.labels.items()))
    if options.source is not None:
        found = replace(found, source=tuple(map(label, options.source)))
    if options.bounds is not None:
        found = _bounded(found, options.bounds)
    if options.alive is not None:
        found = replace(found, alive=metric(options.alive))
    return found


def _relabelled(found: Template, labels: tuple[Label, ...]) -> Template:
    def one(view: View) -> View:
        joined = view.info.labels if view.info else ()
        joins = any(each.name in joined for each in labels)
        return replace(view, labels=labels, info=view.info if joins else None)

    if not labels:
        raise BadQuery("`labels` is empty: without any, versions cannot be told apart")
    return replace(found, views={lane: one(view) for lane, view in found.views.items()}, subsets=None)


def _bounded(found: Template, bounds: Sequence[int]) -> Template:
    """Only the buckets at these bounds, in milliseconds; none at all where there are none."""
    wanted = "|".join([*(bound_like(one, found.bound_ms) for one in bounds), r"\\+Inf"])

    def one(view: View) -> View:
        buckets = view.buckets
        if buckets is None or not bounds:
            return replace(view, buckets=None)
        return replace(view, buckets=Count(buckets.metric, (*buckets.only, f'le=~"{wanted}"')))

    subsets = {lane: one(view) for lane, view in found.subsets.items()} if found.subsets else None
    return replace(found, views={lane: one(view) for lane, view in found.views.items()}, subsets=subsets)


def _known(text: str) -> str:
    unknown = sorted(places(text) - set(PLACES))
    if unknown:
        raise BadQuery(f"there is no {{{unknown[0]}}}; there is: {', '.join(f'{{{name}}}' for name in PLACES)}")
    return text


def _queries(given: Mapping[str, Any]) -> Queries:
    unknown = sorted(given.keys() - {"requests", "errors", "alive", "slow"})
    missing = sorted({"requests", "errors", "alive"} - given.keys())
    if unknown or missing:
        wrong = f"there is no query `{unknown[0]}`" if unknown else f"the query `{missing[0]}` is missing"
        raise BadQuery(f"{wrong}; expected requests, errors, alive, and perhaps slow = {{250 = ...}}")
    try:
        slow = {int(bound): str(query) for bound, query in dict(given.get("slow", {})).items()}
    except (TypeError, ValueError):
        raise BadQuery("`slow` is a table from bounds in whole milliseconds to queries") from None
    return Queries(str(given["requests"]), str(given["errors"]), str(given["alive"]), slow)


def rated(options: Options) -> frozenset[str]:
    """The names of its shares."""
    return _named(options, "of")


def gauged(options: Options) -> frozenset[str]:
    """The names of its levels."""
    return _named(options, "gauge")


def mixing(options: Options) -> frozenset[str]:
    """By which of its measures stable and a copy of it are one; "" is the count of requests."""
    requests = template(options).mixes if options.queries is None else _queries(options.queries).mix
    named = {name for name, one in parse(options.measures or {}).items() if any(map(mixes, one.queries.values()))}
    return frozenset(named | {""} if requests else named)


def timed(options: Options) -> tuple[int, ...] | None:
    """The bounds of latency that it reads, in milliseconds; None where only the metrics themselves know."""
    if options.queries is not None:
        return tuple(sorted(_queries(options.queries).slow))
    return None if options.bounds is None else tuple(sorted(options.bounds))


def _named(options: Options, part: str) -> frozenset[str]:
    return frozenset(name for name, one in parse(options.measures or {}).items() if part in one.queries)
