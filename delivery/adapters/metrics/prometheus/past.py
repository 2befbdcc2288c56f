"""The past of a service, all its versions together: raw counters of a range -> what each source did in each window."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from delivery.adapters.metrics.prometheus.promql import BadQuery
from delivery.adapters.metrics.prometheus.server import Row, Server
from delivery.adapters.metrics.prometheus.template import Count, Label, Scope, Template, bound_like
from delivery.adapters.metrics.prometheus.templates import TEMPLATES
from delivery.model.ids import SECOND, Micros
from delivery.model.verdict import Counts
from delivery.model.version import Lane
from delivery.ports.errors import Refused
from delivery.ports.metrics import Window

POINTS = 8_000
"""Steps of one query: Prometheus answers with at most 11 000."""
SERIES = 5_000
_VERSION = "(_[A-Za-z0-9-]+)?"  # without the lanes of mirrors
_COPY = r"(-[0-9a-z-]+-[0-9a-f]{8})?"
SERVICES: Mapping[str, tuple[tuple[Label, ...], ...]] = {
    "istio": ((Label("destination_service_name", "{service}", after=_COPY),),),
    "istio_envoy": ((Label("cluster_name", "{service}", r"outbound\|[0-9]+\|[^|]*\|", rf"{_COPY}\..*"),),),
    "envoy": ((Label("envoy_cluster_name", "{service}", after=_VERSION),),),
    "http_requests_total": tuple((Label(name, "{service}"),) for name in ("service", "app", "job")),
    "opentelemetry": ((Label("job", "{service}", before="(.*/)?"),),),
}
"""By which labels each template finds all versions of a service; the first that find anything are taken."""
PODS = ("http_requests_total", "opentelemetry")
"""Templates whose sources are the service's own pods."""


def find(server: Server, service: str, only: str | None, where: Mapping[str, str], at: Micros) -> "PrometheusPast":
    """The first template (or the one that is named) by which anything of the service is found at that time.

    Raises Refused where there is none, or too much of it, and Unavailable.
    """
    if only is not None and only not in SERVICES:
        raise BadQuery(f"there is no template {only!r}; there is: {', '.join(SERVICES)}")
    for name in SERVICES if only is None else (only,):
        for labels in SERVICES[name]:
            past = PrometheusPast(server, TEMPLATES[name], labels, service, Scope(where))
            size = past.size(at)
            if size > SERIES:
                raise Refused(f"{service} has {size} series of {name}, {SERIES} are allowed: narrow it with --where")
            if size:
                return past
    tried = ", ".join(SERVICES) if only is None else only
    raise Refused(f"nothing of a service {service} is found by: {tried}. Name labels with --where, or another service")


@dataclass(slots=True)
class _Seen:
    """The last value of each series."""

    values: dict[tuple[str, str, str], float] = field(default_factory=dict)
    end: int | None = None
    there: bool = False


class PrometheusPast:
    def __init__(
        self, server: Server, template: Template, labels: tuple[Label, ...], service: str, scope: Scope
    ) -> None:
        view = template.views[Lane.PLAIN]
        self.template = template.name
        self.labels = tuple(one.name for one in labels)
        self._server = server
        self._template = template
        self._view = replace(view, labels=labels, info=None)
        self._matchers = tuple(one.matcher(frozenset((service,))) for one in labels)
        self._scope = scope
        self._seen = _Seen()

    @property
    def sources_are_pods(self) -> bool:
        return self.template in PODS

    def size(self, at: Micros) -> int:
        """How many series it has at that time."""
        found = self._at(f"count({self._select(self._view.requests)})", at)
        return int(float(found[0]["values"][-1][1])) if found else 0

    def interval(self, at: Micros) -> Micros:
        counted = self._at(f"max(count_over_time({self._select(self._view.requests, 3600)}))", at)
        samples = float(counted[0]["values"][-1][1]) if counted else 0
        return Micros(round(3600 / samples) * SECOND) if samples else Micros(60 * SECOND)

    def bounds(self, at: Micros) -> tuple[int, ...]:
        buckets = self._view.buckets
        rows = self._at(f"count by (le) ({self._select(buckets)})", at) if buckets else ()
        found = [float(row["metric"]["le"]) * self._template.bound_ms for row in rows]
        return tuple(sorted({round(one) for one in found if math.isfinite(one) and abs(one - round(one)) < 1e-6}))

    def read(self, start: Micros, end: Micros, step: Micros, above: Sequence[int]) -> Sequence[Window]:
        seconds = step // SECOND
        windows: list[Window] = []
        for first, last in _spans(start // SECOND, end // SECOND, seconds, POINTS):
            parts = list(self._parts(above))
            found = [
                (kind, row) for kind, query in parts for row in self._server.query_range(query, first, last, seconds)
            ]
            windows += self._windows(found, range(first, last + 1, seconds))
        return windows

    def _parts(self, above: Sequence[int]) -> Iterable[tuple[str, str]]:
        view, source = self._view, ", ".join(self._template.source)
        yield "requests", f"sum by ({source}) ({self._select(view.requests)})"
        yield "errors", f"sum by ({source}) ({self._select(view.errors)})"
        if above and view.buckets:
            wanted = "|".join([*(bound_like(one, self._template.bound_ms) for one in above), r"\\+Inf"])
            inside = (f'le=~"{wanted}"',)
            yield "slow", f"sum by ({source}, le) ({self._select(view.buckets, more=inside)})"

    def _select(self, count: Count, window: int | None = None, more: tuple[str, ...] = ()) -> str:
        return self._scope.select(count, (*self._matchers, *more), window)

    def _at(self, query: str, at: Micros) -> Sequence[Row]:
        second = at // SECOND
        return self._server.query_range(query, second, second, 1)

    def _windows(self, found: Sequence[tuple[str, Row]], times: range) -> Iterator[Window]:
        """The deltas of every series, window by window."""
        by_time: dict[int, list[tuple[tuple[str, str, str], float]]] = {time: [] for time in times}
        for kind, row in found:
            labels = row["metric"]
            source = "/".join(told for name in self._template.source if (told := labels.get(name)))
            key = (kind, source, labels.get("le", ""))
            for time, text in row["values"]:
                by_time[round(float(time))].append((key, float(text)))
        for time in times:
            yield from self._window(time, by_time[time], times.step)

    def _window(self, time: int, values: Sequence[tuple[tuple[str, str, str], float]], step: int) -> Iterator[Window]:
        seen = self._seen
        begun, whole = seen.end is not None, seen.there and bool(values)
        deltas: dict[tuple[str, str, str], float] = {}
        for key, value in values:
            before = seen.values.get(key, 0.0)
            deltas[key] = value - before if value >= before else value
            seen.values[key] = value
        if begun and time == seen.end:
            return  # a span begins where the one before it ended
        seen.end, seen.there = time, bool(values)
        if begun:
            start, end = Micros((time - step) * SECOND), Micros(time * SECOND)
            yield Window(start, end, self._counts(deltas) if whole else None)

    def _counts(self, deltas: Mapping[tuple[str, str, str], float]) -> dict[str, Counts]:
        requests: dict[str, float] = {}
        errors: dict[str, float] = {}
        within: dict[str, dict[float, float]] = {}
        for (kind, source, bound), value in deltas.items():
            if kind == "slow":
                within.setdefault(source, {})[float(bound) * self._template.bound_ms] = value
            else:
                (requests if kind == "requests" else errors)[source] = value
        return {
            source: Counts(round(number), round(errors.get(source, 0)), _slow(within.get(source, {})))
            for source, number in requests.items()
        }


def _slow(within: Mapping[float, float]) -> tuple[tuple[int, int], ...]:
    timed = within.get(math.inf, 0)
    return tuple(
        (round(bound), max(0, round(timed - number)))
        for bound, number in sorted(within.items())
        if math.isfinite(bound)
    )


def _spans(start: int, end: int, step: int, most: int) -> Iterator[tuple[int, int]]:
    """Spans of at most so many steps, each beginning where the one before it ends."""
    while start < end:
        last = min(end, start + (most - 1) * step)
        last = start + (last - start) // step * step
        if last == start:
            return
        yield start, last
        start = last
