"""Port: raw counters of versions. Deltas are taken by the engine, so that restarts and new series are seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from delivery.model.ids import Micros, TargetId
from delivery.model.version import Backend, Lane


@dataclass(frozen=True, slots=True)
class Subject:
    """One version in one lane: what is counted."""

    target: TargetId
    backend: Backend
    lane: Lane = Lane.PLAIN


@dataclass(frozen=True, slots=True)
class Series:
    """Cumulative counters of one source (a proxy, a pod). `epoch` changes when it restarted from 0.

    `slow` has, for each bucket bound in milliseconds, the requests slower than it, cumulative too.
    """

    requests: int
    errors: int
    slow: tuple[tuple[int, int], ...] = ()
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """All series of a subject at `at` (by the metrics server's clock). No series: nothing was ever counted, which is 0."""

    at: Micros
    series: Mapping[str, Series]


class Metrics(Protocol):
    """Bounded in time. Raises Unavailable."""

    def sample(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sample | None]:
        """One sample for each subject, in as few calls as possible. None: this subject could not be read."""
