"""The one clock of a release: how long its candidate may take to appear, or a stage to pass.

`deadline_left` was right at `deadline_at`; from then on it runs, unless something stops it. All of it is said by
events: a hold carries whether it stops the clock.
"""

from delivery.machine import baseline
from delivery.machine.path import awaits_first_hooks
from delivery.model.event import Phase
from delivery.model.ids import Micros
from delivery.model.release import Release


def running(release: Release) -> bool:
    """Whether time counts against it: candidate or copy of stable are awaited, or the stage has not passed.

    No time runs while a hold stops it, nor for a candidate that is not to be started before a hook.
    """
    if any(hold.stops for hold in release.holds):
        return False
    if release.phase is Phase.PREPARING:
        return (not release.ready and not awaits_first_hooks(release)) or baseline.awaited(release)
    return release.phase in (Phase.SHIFTING, Phase.BAKING) and release.passed < release.stage


def left(release: Release, at: Micros) -> Micros:
    """What is left at a time; 0 once it is over."""
    if not running(release):
        return release.deadline_left
    return Micros(max(0, release.deadline_left - max(0, at - release.deadline_at)))


def end(release: Release) -> Micros | None:
    """When it is over if nothing stops it; None while it stands still."""
    return Micros(release.deadline_at + release.deadline_left) if running(release) else None
