"""What gates have measured, drawn against their limits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from api.pages.draw import gate as drawn
from api.pages.views.badge import Badge, verdict
from api.schemas.release import GateOut
from delivery.gates import proportion
from delivery.model.ids import GateId
from delivery.model.plan import GateSpec, Plan
from delivery.wording import plan as wording

_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class GateShown:
    """`wide` and `narrow` are None where there is nothing to draw yet. `rule` says what it compares with what."""

    name: str
    badge: Badge
    text: str
    rule: str
    blocking: bool
    wide: Markup | None
    narrow: Markup | None


def shown(found: Sequence[GateOut], plan: Plan) -> tuple[GateShown, ...]:
    return tuple(_gate(one, plan.gate(GateId(one.gate))) for one in found)


def _gate(found: GateOut, spec: GateSpec) -> GateShown:
    wide, narrow = _drawings(found, spec)
    rule = wording.gate(spec)
    return GateShown(found.gate, verdict(found.verdict), found.text, rule, found.blocking, wide, narrow)


def _drawings(found: GateOut, spec: GateSpec) -> tuple[Markup | None, Markup | None]:
    if found.verdict == "no_data":
        return None, None
    if (times := _times(found, spec)) is not None:
        return (
            drawn.times(times, drawn.WIDE, found.text, "wide"),
            drawn.times(times, drawn.NARROW, found.text, "narrow"),
        )
    if (share := _share(found, spec)) is not None:
        return (
            drawn.share(share, drawn.WIDE, found.text, "wide"),
            drawn.share(share, drawn.NARROW, found.text, "narrow"),
        )
    return None, None


def _times(found: GateOut, spec: GateSpec) -> drawn.Times | None:
    """None where nothing is known of how it compares with stable."""
    if found.ratio is None and found.interval is None:
        return None
    low, high = found.interval or (found.ratio, found.ratio)
    worse_than = spec.params.get("worse_than")
    limit = float(worse_than) if isinstance(worse_than, int | float) else None
    return drawn.Times(found.ratio, low or 0.0, math.inf if high is None else high, limit)


def _share(found: GateOut, spec: GateSpec) -> drawn.Share | None:
    bad, total = found.candidate
    if not total:
        return None
    low, high = proportion.bounds(bad, total, _ALPHA)
    beside = found.stable[0] / found.stable[1] if found.stable[1] else None
    return drawn.Share(bad / total, low, high, _limit(spec.params), beside)


def _limit(params: Mapping[str, Any]) -> float | None:
    """The highest share of bad requests that is still well: a threshold's, or an objective."""
    limit = params.get("limit", params.get("objective"))
    if not isinstance(limit, int | float):
        return None
    return 1 - limit if params.get("measure") == "http_success_rate" else float(limit)
