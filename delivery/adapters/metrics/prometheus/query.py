"""One query for many subjects: every part of it marked with what it is, so that all are read at one instant. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from delivery.adapters.metrics.prometheus.template import Count, Scope, Template, View

PART = "delivery_part"
"""The label that says which part of the query a row is of."""
HELD = 300
"""Seconds for which the last values of a source that cannot be scraped stand in: it is counted on when it is back."""
REQUESTS, ERRORS, FAILURES, BUCKETS = "requests", "errors", "failures", "buckets"
START, LIVES, SEEN, OLDEST, TWICE, LOST = "start", "lives", "seen", "oldest", "twice", "lost"
Values = Sequence[frozenset[str]]
"""For each label of a view: the values that are asked for."""


class Builder:
    """Queries of one template in one view. `today` is the seconds since midnight (UTC), in which lives are counted."""

    def __init__(self, template: Template, view: View, scope: Scope, values: Values, today: int) -> None:
        self._template = template
        self._view = view
        self._scope = scope
        self._today = max(60, today)
        joined = view.info.labels if view.info else ()
        pairs = [(one, one.matcher(found)) for one, found in zip(view.labels, values, strict=True)]
        self._matchers = tuple(matcher for one, matcher in pairs if one.name not in joined)
        self._joined = tuple(matcher for one, matcher in pairs if one.name in joined)

    def sample(self) -> str:
        """All that a look needs."""
        parts = [(part, f"sum by ({by}) ({self._series(count)})") for part, count, by in self._counters()]
        return _union([*parts, *self._sources()])

    def held(self) -> str:
        """What the sources that cannot be scraped said last."""
        gone = f"unless on ({self._source()}) {self._alive()}"
        return _union(
            (part, f"sum by ({by}) ({self._series(count, HELD)} {gone})") for part, count, by in self._counters()
        )

    def sizes(self) -> str:
        """How many series `sample` would touch, for each of the view's label values."""
        view = self._view
        counts = [one for one in (view.requests, view.buckets) if one is not None]
        return _union(
            [(str(number), f"count by ({self._by()}) ({self._series(one)})") for number, one in enumerate(counts)]
        )

    def _counters(self) -> Iterator[tuple[str, Count, str]]:
        """What is counted: its part, its metric, and the labels that stay."""
        view, by = self._view, self._by(*self._template.source)
        yield REQUESTS, view.requests, by
        yield ERRORS, view.errors, by
        if view.failures:
            yield FAILURES, view.failures, by
        if view.buckets:
            yield BUCKETS, view.buckets, f"{by}, le"

    def _series(self, count: Count, window: int | None = None) -> str:
        """The counters, with the labels that they lack."""
        found = self._last(count, self._matchers, window)
        info = self._view.info
        if info is None:
            return found
        joined = self._last(Count(info.metric), self._joined, window)
        return f"{found} * on ({', '.join(info.on)}) group_left ({', '.join(info.labels)}) {joined}"

    def _last(self, count: Count, matchers: tuple[str, ...], window: int | None) -> str:
        selector = self._scope.select(count, matchers, window)
        return f"last_over_time({selector})" if window else selector

    def _sources(self) -> list[tuple[str, str]]:
        """Whether the sources are there, each once, and in which of their lives."""
        template, source = self._template, self._source()
        mine = "" if template.listed else f" and on ({source}) {self._series(self._view.requests, HELD)}"
        seen = f"timestamp({self._alive()})"
        known = f"max by ({source}) ({self._last(Count(template.alive), (), HELD)})"
        parts = [
            (SEEN, f"max by ({source}) ({seen})" if template.listed else f"max({seen})"),
            (LOST, f"count({known} unless on ({source}) {self._alive()})"),
            (TWICE, f"count by ({source}) ({self._alive()}) > 1{mine}"),
        ]
        if not template.listed:
            parts.append((OLDEST, f"min({seen}{mine})"))
        if template.start:
            parts.append((START, f"max by ({source}) ({self._last(Count(template.start), (), HELD)}){mine}"))
        if template.uptime:
            lived = self._scope.select(Count(template.uptime), window=self._today)
            parts.append((LIVES, f"max by ({source}) (resets({lived})){mine}"))
        return parts

    def _alive(self) -> str:
        return self._scope.select(Count(self._template.alive))

    def _source(self) -> str:
        return ", ".join(self._template.source)

    def _by(self, *more: str) -> str:
        return ", ".join((*(one.name for one in self._view.labels), *more))


def _union(parts: Iterable[tuple[str, str]]) -> str:
    return " or ".join(f'label_replace({text}, "{PART}", "{part}", "", "")' for part, text in parts)
