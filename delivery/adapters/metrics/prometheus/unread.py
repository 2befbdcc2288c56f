"""Reasons why versions could not be read: the engine is told None, people find the reason in the log."""

import logging
from collections.abc import Mapping

from delivery.model.series import Sample
from delivery.ports.metrics import Subject

_LOG = logging.getLogger(__name__)


class Unread:
    """Logs each reason once, for as long as it stays."""

    def __init__(self) -> None:
        self._told: frozenset[str] = frozenset()

    def told(self, found: Mapping[Subject, Sample | str]) -> Mapping[Subject, Sample | None]:
        """What the port says, with the reasons taken out."""
        reasons: dict[str, list[str]] = {}
        for subject, one in found.items():
            if isinstance(one, str):
                reasons.setdefault(one, []).append(subject.backend.lane(subject.lane))
        for reason, names in reasons.items():
            if reason not in self._told:
                others = f" and {len(names) - 1} more" if len(names) > 1 else ""
                _LOG.warning("%s%s cannot be measured: %s", names[0], others, reason)
        self._told = frozenset(reasons)
        return {subject: one if isinstance(one, Sample) else None for subject, one in found.items()}
