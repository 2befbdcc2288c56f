"""A stage of a release, with what its gates found."""

from dataclasses import dataclass

from api.pages.views import gates
from api.pages.views.badge import Badge, stage
from api.pages.views.gates import GateShown
from api.schemas.release import StageOut
from delivery.model.event import Level
from delivery.model.plan import Plan
from delivery.wording.history import LEVELS
from delivery.wording.units import percent


@dataclass(frozen=True, slots=True)
class StageShown:
    """`split` says what is wanted, proven and counted. `entered_at` is RFC 3339."""

    name: str
    badge: Badge
    traffic: str
    split: str
    entered_at: str | None
    needs: str
    approvals: tuple[str, ...]
    gates: tuple[GateShown, ...]


def shown(one: StageOut, plan: Plan) -> StageShown:
    return StageShown(
        name=one.name,
        badge=stage(one.state),
        traffic=one.traffic,
        split=_split(one),
        entered_at=one.entered_at,
        needs=_needs(one),
        approvals=tuple(_approval(vote.actor, vote.via, vote.reason) for vote in one.approvals),
        gates=gates.shown(one.analysis, plan),
    )


def _split(one: StageOut) -> str:
    """Nothing for a stage that was not entered."""
    if one.entered_at is None:
        return ""
    parts = [f"desired {percent(one.split.desired)}"]
    if one.split.confirmed is None or one.split.level is None:
        parts.append("not yet confirmed")
    else:
        parts.append(f"confirmed {percent(one.split.confirmed)} ({LEVELS[Level(one.split.level)]})")
    if one.split.observed is not None:
        parts.append(f"counted {percent(one.split.observed)}")
    return ", ".join(parts)


def _needs(one: StageOut) -> str:
    if one.needs is None:
        return ""
    people = f" of {one.needs.group}" if one.needs.group else ""
    return f"needs {one.needs.count} approval{'s' if one.needs.count > 1 else ''}{people}"


def _approval(actor: str, via: str, reason: str) -> str:
    return f"{actor} approved{f' by {via}' if via else ''}{f': {reason}' if reason else ''}"
