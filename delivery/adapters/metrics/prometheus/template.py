"""What a template says: which metrics count a version's requests, and by which labels a version is found. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from delivery.adapters.metrics.prometheus import promql
from delivery.adapters.metrics.prometheus.promql import label, one_of, quoted
from delivery.model.place import Isolation
from delivery.model.version import Lane

OF_BACKENDS = frozenset(("backend", "host", "object", "subset", "workload"))
"""The placeholders that are another value for another backend of one version."""


@dataclass(frozen=True)
class Label:
    """A label that tells versions apart. `value` is text with placeholders; `before` and `after` are regular
    expressions for what may stand around it and says nothing of the version."""

    name: str
    value: str
    before: str = ""
    after: str = ""

    @cached_property
    def _around(self) -> re.Pattern[str]:
        return re.compile(f"(?:{self.before})(?P<told>.*?)(?:{self.after})", re.DOTALL)

    def told(self, found: str) -> str | None:
        """What a label's value says of the version; None where it is of another form."""
        match = self._around.fullmatch(found)
        return match["told"] if match else None

    def matcher(self, values: frozenset[str]) -> str:
        """The matcher of these values."""
        name, inner = label(self.name), one_of(sorted(values))
        if self.before or self.after:
            return f"{name}=~{quoted(f'{self.before}({inner}){self.after}')}"
        return f"{name}={quoted(next(iter(values)))}" if len(values) == 1 else f"{name}=~{quoted(inner)}"


@dataclass(frozen=True, slots=True)
class Count:
    """Counters: a metric, and matchers that are always there."""

    metric: str
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Info:
    """A metric of value 1 that has the labels which the counters lack, joined over `on`."""

    metric: str
    on: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """What is counted in one lane. `labels` are of the counters, or of `info` where that has them.

    `failures` are errors that no HTTP status tells; none of them is among `errors`.
    """

    requests: Count
    errors: Count
    buckets: Count | None
    labels: tuple[Label, ...]
    info: Info | None = None
    failures: Count | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """`source` are the labels that together name one process which counts; labels that are not there say nothing.

    `alive` is a metric that every source has while it is scraped. `start`: one that is constant in a source's life and
    another one in the next. `uptime`: one that grows and begins anew with each life. `listed`: every source may have
    requests for every version (proxies that all see the same traffic), so that one without any has counted 0.
    `bound_ms` is the unit of the histogram's bounds in milliseconds. `subsets`: the views where versions are subsets
    of one Service, if those are others.
    """

    name: str
    views: Mapping[Lane, View]
    source: tuple[str, ...]
    alive: str
    start: str | None = None
    uptime: str | None = None
    listed: bool = False
    bound_ms: int = 1
    subsets: Mapping[Lane, View] | None = None

    def view(self, lane: Lane, isolation: Isolation | None) -> View:
        """What counts in this lane."""
        views = self.subsets if self.subsets and isolation is Isolation.SUBSET else self.views
        return views[lane]

    def places(self) -> frozenset[str]:
        """The placeholders that its labels need."""
        views = (*self.views.values(), *(self.subsets or {}).values())
        labels = [one for view in views for one in view.labels]
        return frozenset().union(*(promql.places(one.value) for one in labels))

    @property
    def mixes(self) -> bool:
        """Whether stable and a copy of it are one, because no label is another one's for another backend."""
        return self.places().isdisjoint(OF_BACKENDS)


@dataclass(frozen=True, slots=True)
class Scope:
    """What every selector has besides: `where` (label to value), and how old the values are that are asked for."""

    where: Mapping[str, str] = field(default_factory=dict)
    lag: int = 0  # seconds

    def select(self, count: Count, matchers: tuple[str, ...] = (), window: int | None = None) -> str:
        """A selector; with a `window` in seconds, of a range."""
        own = [f"{label(name)}={quoted(value)}" for name, value in sorted(self.where.items())]
        inside = ",".join((*count.only, *own, *matchers))
        over = f"[{window}s]" if window else ""
        return f"{promql.metric(count.metric)}{{{inside}}}{over}{f' offset {self.lag}s' if self.lag else ''}"


def only(**matchers: str) -> tuple[str, ...]:
    """Matchers of exact values."""
    return tuple(f"{label(name)}={quoted(value)}" for name, value in matchers.items())


def only_like(**matchers: str) -> tuple[str, ...]:
    """Matchers of regular expressions."""
    return tuple(f"{label(name)}=~{quoted(value)}" for name, value in matchers.items())


def bound_like(milliseconds: int, unit: int) -> str:
    """What matches a bound as Prometheus writes it: 0.25, or 250 and since its third version 250.0."""
    text = f"{milliseconds / unit:.10g}"
    return text.replace(".", r"\\.") if "." in text else rf"{text}(\\.0)?"
