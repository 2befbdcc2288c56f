"""Every number that we tell about ourselves, in one table: name, kind, labels, meaning.

Labels have few values by construction (kinds, outcomes, configured names): never an id, a version or a text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "delivery_"


class Kind(StrEnum):
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """`buckets` are upper bounds, in seconds where the metric is a time. `shown` is a better name."""

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    shown: str = ""


_LATENESS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_CALL = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def _count(text: str, *labels: str) -> Metric:
    return Metric(Kind.COUNTER, text, labels)


METRICS: Mapping[str, Metric] = {
    "admissions": _count("Notices by what became of them.", "outcome", "reason"),
    "rereads": _count("Hints of deployers by what became of them, once what is there was read again.", "outcome"),
    "steps": _count("Events committed to releases: what the machine decided.", "event"),
    "verdicts": _count("Verdicts that changed.", "gate", "verdict"),
    "unread": _count("Sides of releases that could not be measured.", "why"),
    "effects": _count("Calls to meshes, workloads and metrics.", "kind", "outcome"),
    "outbox": _count("Messages to people that were tried.", "channel", "outcome"),
    "commits_lost": _count("Commits that found their target changed or were refused.", "result"),
    "quarantined": _count("Targets taken out of service because a step of theirs raised."),
    "retention_rows": _count("Rows taken away because their time was over.", "kind"),
    "hints": _count("Hints to workers.", "outcome"),
    "lateness": Metric(Kind.HISTOGRAM, "Seconds from when a target was due until it was worked on.", (), _LATENESS),
    "outbox_age_seconds": Metric(
        Kind.HISTOGRAM, "Seconds from when a message was due until it was sent.", (), _LATENESS, "outbox_delay_seconds"
    ),
    "effect_seconds": Metric(Kind.HISTOGRAM, "Seconds that a call took.", ("kind",), _CALL),
    "retention_seconds": Metric(Kind.HISTOGRAM, "Seconds that taking away one batch took.", ("kind",), _CALL),
    "drain_seconds": Metric(Kind.HISTOGRAM, "Seconds that a drain with something to do took.", (), _CALL),
}
