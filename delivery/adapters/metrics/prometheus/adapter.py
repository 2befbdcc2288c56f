"""Port Metrics over Prometheus: one query for all versions that are counted in the same way, all at one instant.

Counters are raw, one Series for each source (a proxy, a pod): deltas are taken by the engine, so that the first error
of a new series counts, which `rate` and `increase` lose. Where a version cannot be read the reason is told and logged.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from delivery.adapters.metrics.prometheus.budget import Budget
from delivery.adapters.metrics.prometheus.query import LOST, PART, Builder
from delivery.adapters.metrics.prometheus.reasons import Reasons
from delivery.adapters.metrics.prometheus.rows import Key, key_of, read
from delivery.adapters.metrics.prometheus.server import Server
from delivery.adapters.metrics.prometheus.subjects import IN_KUBERNETES, Locate, keys, mixed_up, values
from delivery.adapters.metrics.prometheus.template import Scope, Template, View
from delivery.model.ids import SECOND
from delivery.model.series import Sample, Unread, Why
from delivery.ports.clock import Clock
from delivery.ports.errors import PortError, Unavailable
from delivery.ports.metrics import Subject, Unmeasured, unread

BATCH = 200
"""Versions in one query: Prometheus looks up a list of at most 256 values without running a regular expression."""
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Limits:
    """`stale`: seconds without a sample after which a source counts as gone. `seconds` bounds one call of `sample`.

    `each` and `total`: series that one version and one query may need.
    """

    stale: int = 60
    seconds: float = 5.0
    each: int = 2_000
    total: int = 50_000


EVERYTHING = Scope()
DEFAULTS = Limits()


class PrometheusMetrics:
    """`locate` says where a target lives in its cluster, for templates that find versions by Kubernetes' names."""

    def __init__(
        self,
        server: Server,
        template: Template,
        clock: Clock,
        locate: Locate,
        scope: Scope = EVERYTHING,
        limits: Limits = DEFAULTS,
    ) -> None:
        self._server = server
        self._template = template
        self._clock = clock
        self._locate = locate if template.places() & set(IN_KUBERNETES) else None
        self._scope = scope
        self._limits = limits
        self._budgets: dict[int, Budget] = {}
        self._reasons = Reasons()

    def sample(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sample | Unread]:
        until = self._clock.monotonic() + self._limits.seconds
        found: dict[Subject, Sample | Unread] = {}
        views: dict[int, tuple[View, dict[Key, list[Subject]]]] = {}
        for subject in dict.fromkeys(subjects):
            if self._template.mixes and (reason := mixed_up(subject)) is not None:
                found[subject] = reason
                continue
            try:
                view, named = self._find(subject)
            except PortError as error:
                found[subject] = Unread(Why.UNPLACED, str(error))
                continue
            for told in named:
                views.setdefault(id(view), (view, {}))[1].setdefault(told, []).append(subject)
        for view, wanted in views.values():
            answers = self._view(view, list(wanted), until)
            for told, those in wanted.items():
                found |= {one: max((answers[told], found.get(one, answers[told])), key=_says) for one in those}
        self._reasons.log(found)
        return found

    def _find(self, subject: Subject) -> tuple[View, tuple[Key, ...]]:
        place = self._locate(subject.target) if self._locate else None
        view = self._template.view(subject.lane, place.isolation if place else None)
        return view, keys(view, values(subject, place))

    def _view(self, view: View, keys: list[Key], until: float) -> dict[Key, Sample | Unread]:
        """One answer for each key. Raises Unavailable where the server answered none of the queries."""
        budget = self._budgets.setdefault(
            id(view), Budget(self._limits.each, self._limits.total, self._clock.monotonic)
        )
        found: dict[Key, Sample | Unread] = {}
        errors: list[Unavailable] = []
        for batch in _parts(budget.unknown(keys), BATCH):
            try:
                self._size(view, batch, budget, until)
            except Unavailable as error:
                errors.append(error)
                found |= dict.fromkeys(batch, unread(error))
        refused = {one: reason for one in keys if one not in found and (reason := budget.refused(one))}
        found |= refused
        for batch in budget.batches([one for one in keys if one not in found], BATCH):
            try:
                found |= self._batch(view, batch, until)
            except Unavailable as error:
                errors.append(error)
                found |= dict.fromkeys(batch, unread(error))
        if errors and not any(isinstance(one, Sample) for one in found.values()):
            raise errors[0]
        return found

    def _size(self, view: View, keys: list[Key], budget: Budget, until: float) -> None:
        sizes: dict[Key, int] = {}
        for row in self._server.query(self._builder(view, keys).sizes(), self._left(until)):
            told = key_of(view, row["metric"])
            if told is not None:
                sizes[told] = sizes.get(told, 0) + int(float(row["value"][1]))
        budget.learn(keys, sizes)

    def _batch(self, view: View, keys: list[Key], until: float) -> dict[Key, Sample | Unread]:
        builder = self._builder(view, keys)
        rows = self._server.query(builder.sample(), self._left(until))
        lost = any(row["metric"].get(PART) == LOST for row in rows)
        held = self._server.query(builder.held(), self._left(until)) if lost else ()
        answered = read(rows, self._template, view, self._scope.lag, self._limits.stale, held)
        return {one: answered.sample(one) for one in keys}

    def _builder(self, view: View, keys: list[Key]) -> Builder:
        asked = [frozenset(column) for column in zip(*keys, strict=True)]
        today = self._clock.now() // SECOND % DAY
        return Builder(self._template, view, self._scope, asked, today)

    def _left(self, until: float) -> float:
        left = until - self._clock.monotonic()
        if left <= 0:
            text = f"{self._server.name} took longer than {self._limits.seconds:g} s"
            raise Unmeasured(text, Why.UNAVAILABLE)
        return left


def _says(answer: Sample | Unread) -> int:
    """How much an answer says: of names that a version may have one is counted, and the others have nothing."""
    if isinstance(answer, Sample):
        return 2 if answer.series else 0
    return 1


def _parts(keys: Sequence[Key], most: int) -> Iterable[list[Key]]:
    return [list(keys[first : first + most]) for first in range(0, len(keys), most)]
