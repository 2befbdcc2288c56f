"""The copy of stable that the candidate is compared with: ready, not ready, or gone."""

from delivery.machine import baseline
from delivery.machine.deadlines import left
from delivery.machine.holds import placed
from delivery.machine.rules.common import NOTHING, Events, moment
from delivery.model.context import Context
from delivery.model.event import BaselineLost, HoldLifted, Phase
from delivery.model.event import BaselineReady as Ready
from delivery.model.hold import HoldKind
from delivery.model.ids import Micros
from delivery.model.release import Release
from delivery.model.signal import BaselineMissing, BaselineReady


def copy_ready(release: Release, signal: BaselineReady, context: Context) -> Events:
    """It is ready, for the first time, again, or for more of the traffic than before."""
    at = moment(release, context)
    events: Events = ()
    if release.held(HoldKind.BASELINE_UNREADY):
        events = (HoldLifted(at=at, kind=HoldKind.BASELINE_UNREADY),)
    grown = signal.share > (release.baseline or 0)
    return (*events, Ready(at=at, share=signal.share)) if grown else events


def copy_missing(release: Release, signal: BaselineMissing, context: Context) -> Events:
    """Nothing rises without it. Where nobody of it answers, its share goes to stable at once.

    Before the first stage it may take as long as the candidate may, unless waiting will not help.
    """
    if not baseline.needed(release):
        return NOTHING
    at = moment(release, context)
    gone = release.baseline is not None and not signal.answers
    lost: Events = (BaselineLost(at=at, had_share=bool(release.compared), detail=signal.looked_for),) if gone else ()
    known = release.held(HoldKind.BASELINE_UNREADY) or HoldKind.BASELINE_UNREADY in release.waived
    if known or release.phase is Phase.ROLLING_BACK or _in_time(release, signal, at):
        return lost
    until = Micros(at + release.plan.hold_limit)
    return (*lost, placed(HoldKind.BASELINE_UNREADY, at, signal.looked_for, until=until))


def _in_time(release: Release, signal: BaselineMissing, at: Micros) -> bool:
    """Whether it may still be on its way, as the candidate may be."""
    if release.phase is not Phase.PREPARING:
        return False
    return not release.ready or (left(release, at) > 0 and not signal.failing)
