"""Reasons why versions could not be read, in the log too: for who runs the worker and not the release."""

import logging
from collections.abc import Mapping

from delivery.model.series import Sample, Unread
from delivery.ports.metrics import Subject

_LOG = logging.getLogger(__name__)


class Reasons:
    """Logs each reason once, for as long as it stays."""

    def __init__(self) -> None:
        self._logged: frozenset[str] = frozenset()

    def log(self, found: Mapping[Subject, Sample | Unread]) -> None:
        """Logs what is new among the reasons."""
        reasons: dict[str, list[str]] = {}
        for subject, one in found.items():
            for text in (one.text,) if isinstance(one, Unread) else _lacking(one):
                reasons.setdefault(text, []).append(subject.backend.lane(subject.lane))
        for text, names in reasons.items():
            if text not in self._logged:
                others = f" and {len(names) - 1} more" if len(names) > 1 else ""
                _LOG.warning("%s%s cannot be measured: %s", names[0], others, text)
        self._logged = frozenset(reasons)


def _lacking(sample: Sample) -> tuple[str, ...]:
    return tuple(f"{name}: {reason}" for name, reason in sample.lacks.items())
