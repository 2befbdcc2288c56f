"""Port: raw counters of versions. Deltas are taken by the engine, so that restarts and new series are seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from delivery.model.ids import Micros, TargetId
from delivery.model.series import Sample, Series, Unread, Why
from delivery.model.verdict import Counts
from delivery.model.version import Backend, Lane
from delivery.ports.errors import PortError, Unavailable

__all__ = ["Metrics", "Past", "Sample", "Series", "Subject", "Unmeasured", "Unread", "Why", "Window", "unread"]


@dataclass(frozen=True, slots=True)
class Subject:
    """One version in one lane: what is counted."""

    target: TargetId
    backend: Backend
    lane: Lane = Lane.PLAIN


class Metrics(Protocol):
    """Bounded in time. Raises Unavailable."""

    def sample(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sample | Unread]:
        """One sample for each subject, in as few calls as possible; or why this subject could not be read."""


class Unmeasured(Unavailable):
    """Nothing could be read, with the kind of reason."""

    def __init__(self, text: str, why: Why, retry_after: float | None = None) -> None:
        super().__init__(text, retry_after)
        self.why = why


def unread(error: PortError) -> Unread:
    """What an error says of the subjects that were asked for."""
    return Unread(error.why if isinstance(error, Unmeasured) else Why.UNAVAILABLE, str(error))


@dataclass(frozen=True, slots=True)
class Window:
    """What each source counted in a span of time. None: nothing was scraped then, or after a gap nobody knows when."""

    start: Micros
    end: Micros
    sources: Mapping[str, Counts] | None


class Past(Protocol):
    """What a service counted in the past, all its versions together. Raises Unavailable."""

    @property
    def sources_are_pods(self) -> bool:
        """Whether each source is a part of the service itself, so that a fault of one of them is seen in it alone."""

    def interval(self, at: Micros) -> Micros:
        """How often it is scraped, or the nearest guess."""

    def bounds(self, at: Micros) -> tuple[int, ...]:
        """The bounds of its latency histogram in milliseconds; none where there is none."""

    def read(self, start: Micros, end: Micros, step: Micros, above: Sequence[int]) -> Sequence[Window]:
        """Windows of `step` from `start` to `end`, with requests slower than each of the bounds `above`.

        Calls have to be made in the order of time: what a window counts begins where the one before it ended.
        """
