"""Port: raw counters of versions. Deltas are taken by the engine, so that restarts and new series are seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from delivery.model.ids import TargetId
from delivery.model.series import Sample, Series
from delivery.model.version import Backend, Lane

__all__ = ["Metrics", "Sample", "Series", "Subject"]


@dataclass(frozen=True, slots=True)
class Subject:
    """One version in one lane: what is counted."""

    target: TargetId
    backend: Backend
    lane: Lane = Lane.PLAIN


class Metrics(Protocol):
    """Bounded in time. Raises Unavailable."""

    def sample(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sample | None]:
        """One sample for each subject, in as few calls as possible. None: this subject could not be read."""
