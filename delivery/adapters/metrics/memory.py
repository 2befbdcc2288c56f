"""Port Metrics in memory: counters that are told what happened, or that grow by themselves as the clock moves."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from delivery.model.ids import SECOND, Micros, TargetId
from delivery.model.series import Sample, Series, Unread, Why
from delivery.ports.clock import Clock
from delivery.ports.errors import Unavailable
from delivery.ports.metrics import Subject

BUCKETS_MS = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)
SOURCE = "proxy"
UNREADABLE = Unread(Why.NO_SERIES, "its counters are not there")
Shares = Callable[[], Mapping[Subject, float]]
"""Which share of a target's requests each subject gets now. Copies of a mirror come on top of 1."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a version answers: evenly spread, never by chance. Rates are fractions of its requests."""

    error_rate: float = 0.0
    slow_rate: float = 0.0
    slow_ms: int = 1000


@dataclass(slots=True)
class _Counter:
    requests: int = 0
    errors: int = 0
    slow: dict[int, int] = field(default_factory=lambda: dict.fromkeys(BUCKETS_MS, 0))
    due: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])  # requests, errors, slow ones not yet whole


@dataclass(slots=True)
class _Load:
    rate: float
    shares: Shares
    since: Micros


class MemoryMetrics:
    """`down` makes every call Unavailable; a subject in `unreadable` cannot be read."""

    def __init__(self, clock: Clock) -> None:
        self.down = False
        self.unreadable: set[Subject] = set()
        self._clock = clock
        self._lock = threading.Lock()
        self._lives: dict[str, int] = {SOURCE: 1}
        self._gone: set[str] = set()
        self._counters: dict[tuple[str, Subject], _Counter] = {}
        self._loads: dict[TargetId, _Load] = {}
        self._behaviours: dict[str, Behaviour] = {}

    # The port.

    def sample(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sample | Unread]:
        if self.down:
            raise Unavailable("the metrics server does not answer")
        with self._lock:
            self.advance()
        return {subject: UNREADABLE if subject in self.unreadable else self._sample(subject) for subject in subjects}

    # The world.

    def count(self, subject: Subject, requests: int, errors: int = 0, ms: float = 0.0, source: str = SOURCE) -> None:
        """So many requests ended, each after `ms` milliseconds; `errors` of them with an error."""
        self._lives.setdefault(source, 1)
        self._gone.discard(source)
        counter = self._counters.setdefault((source, subject), _Counter())
        counter.requests += requests
        counter.errors += errors
        for bound in counter.slow:
            counter.slow[bound] += requests if ms > bound else 0

    def restart(self, source: str = SOURCE) -> None:
        """The source begins another life, with nothing counted."""
        self.remove(source)
        self._gone.discard(source)

    def remove(self, source: str) -> None:
        """The source is gone, with its counters; what it counts later is another life."""
        self._counters = {key: counter for key, counter in self._counters.items() if key[0] != source}
        self._lives[source] = self._lives.get(source, 0) + 1
        self._gone.add(source)

    def drive(self, target: TargetId, rate: float, shares: Shares) -> None:
        """From now on the target gets `rate` requests a second, divided as `shares` says whenever that is asked.

        What passed since the last look is divided by the shares of now: call `advance` before they change.
        """
        self.advance()
        self._loads[target] = _Load(rate, shares, self._clock.now())

    def behave(self, backend: str, behaviour: Behaviour) -> None:
        """How the version of this backend (by name, all its lanes) answers driven requests from now on."""
        self.advance()
        self._behaviours[backend] = behaviour

    def advance(self) -> None:
        """Counts what driven targets got until now. A clock that goes back counts nothing."""
        now = self._clock.now()
        for load in self._loads.values():
            requests = load.rate * max(0, now - load.since) / SECOND
            load.since = now
            for subject, share in load.shares().items():
                self._grow(subject, requests * share)

    def _grow(self, subject: Subject, requests: float) -> None:
        behaviour = self._behaviours.get(subject.backend.name, Behaviour())
        counter = self._counters.setdefault((SOURCE, subject), _Counter())
        growth = (requests, requests * behaviour.error_rate, requests * behaviour.slow_rate)
        whole = []
        for index, amount in enumerate(growth):
            counter.due[index] += amount
            number = int(counter.due[index] + 1e-9)
            counter.due[index] -= number
            whole.append(number)
        self.count(subject, whole[0], whole[1])
        for bound in counter.slow:
            counter.slow[bound] += whole[2] if behaviour.slow_ms > bound else 0

    def _sample(self, subject: Subject) -> Sample:
        series = {}
        for source, life in self._lives.items():
            if source not in self._gone:
                counter = self._counters.get((source, subject), _Counter())
                series[source] = Series(counter.requests, counter.errors, tuple(counter.slow.items()), str(life))
        return Sample(self._clock.now(), series)
