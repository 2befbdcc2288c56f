"""Holds: what each kind means for the deadline, for people, and for what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from delivery.model.event import HoldPlaced
from delivery.model.hold import Hold, HoldKind
from delivery.model.ids import Micros, Principal
from delivery.model.release import Release


class Lifts(StrEnum):
    """Who may lift a hold by naming it in a resume."""

    ANYONE = "anyone"  # anyone who may resume at all
    WITH_REASON = "with_reason"
    ADMIN = "admin"
    NOBODY = "nobody"  # it ends otherwise


@dataclass(frozen=True, slots=True)
class HoldRule:
    """`ends` says what else ends it, for people. `stops`: the stage's deadline stands still.

    `doubts`: what is measured meanwhile is not the stage that was meant, so the stage cannot pass. `calls`: people are
    needed at once.
    """

    lifts: Lifts
    ends: str
    stops: bool = True
    doubts: bool = False
    calls: bool = False


HOLDS: Mapping[HoldKind, HoldRule] = {
    HoldKind.PAUSE: HoldRule(Lifts.ANYONE, "a resume"),
    HoldKind.FREEZE: HoldRule(Lifts.WITH_REASON, "the window's end"),
    HoldKind.STOP: HoldRule(Lifts.NOBODY, "lifting the stop itself"),
    HoldKind.APPROVAL: HoldRule(Lifts.NOBODY, "enough approvals, or a rejection", calls=True),
    HoldKind.LOW_TRAFFIC: HoldRule(Lifts.ANYONE, "enough requests"),
    HoldKind.INCONCLUSIVE: HoldRule(Lifts.ANYONE, "a verdict of the gates"),
    HoldKind.NO_DATA: HoldRule(Lifts.ANYONE, "measurements"),
    HoldKind.SPLIT_MISMATCH: HoldRule(Lifts.ANYONE, "the split being as configured", doubts=True, calls=True),
    HoldKind.DRIFT_STORM: HoldRule(Lifts.ANYONE, "a route that nobody else changes", doubts=True, calls=True),
    HoldKind.STRAGGLERS: HoldRule(Lifts.ANYONE, "the confirmation", calls=True),
    HoldKind.STABLE_UNREADY: HoldRule(Lifts.WITH_REASON, "stable being ready", calls=True),
    HoldKind.CANDIDATE_UNREADY: HoldRule(Lifts.NOBODY, "the candidate being ready"),
    HoldKind.BASELINE_UNREADY: HoldRule(Lifts.WITH_REASON, "the copy of stable being ready", doubts=True),
    HoldKind.HOOK: HoldRule(Lifts.WITH_REASON, "a person's decision", calls=True),
    HoldKind.HISTORY_LOST: HoldRule(Lifts.ADMIN, "a person's decision", doubts=True, calls=True),
    HoldKind.QUARANTINED: HoldRule(Lifts.ADMIN, "a person's decision", doubts=True, calls=True),
}
MEASURED = (HoldKind.LOW_TRAFFIC, HoldKind.INCONCLUSIVE, HoldKind.NO_DATA)
"""Holds that a tick places and lifts."""
OWN_LIMIT = (*MEASURED, HoldKind.BASELINE_UNREADY)
"""Holds for want of measurements: they last `plan.hold_limit`, then `plan.at_limit` says what happens."""


def placed(
    kind: HoldKind,
    at: Micros,
    detail: str = "",
    by: Principal | None = None,
    until: Micros | None = None,
    via: str | None = None,
) -> HoldPlaced:
    """The event that places a hold, as the rule for its kind says."""
    return HoldPlaced(at=at, hold=Hold(kind, at, detail, by, until, HOLDS[kind].stops, via))


def find(release: Release, kind: HoldKind) -> Hold | None:
    """The release's hold of this kind."""
    return next((hold for hold in release.holds if hold.kind is kind), None)


def doubted(release: Release) -> bool:
    """Whether what is measured now is not what the stage meant to measure."""
    return any(HOLDS[hold.kind].doubts for hold in release.holds)
