"""How much of the traffic the candidate must be able to carry. Capacity comes before every raise."""

from delivery.machine import path
from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.model.release import Release
from delivery.model.traffic import Traffic

ALL = 100
_CAPACITY = (HoldKind.CANDIDATE_UNREADY, HoldKind.BASELINE_UNREADY)


def carried(traffic: Traffic) -> int:
    """Percent of the requests that reach the candidate under this traffic, copies too.

    How many meet a rule is not known beforehand: as good as all.
    """
    if traffic.rules:
        return ALL
    return max(traffic.weight, traffic.mirror.percent if traffic.mirror else 0)


def of_stage(release: Release, stage: int) -> int:
    """What it must carry to enter `stage` (`len(stages)`: the raise to 100 percent)."""
    stages = release.plan.stages
    if path.first_version(release) or stage >= len(stages):
        return ALL
    return carried(stages[stage].traffic)


def enough(release: Release, stage: int) -> bool:
    """Whether it is known to carry what `stage` sends to it."""
    return release.share is None or release.share >= of_stage(release, stage)


def needed(release: Release) -> int:
    """What it must be able to carry now. Grown for what comes next once nothing else keeps that away; never shrunk."""
    if release.plan.mode is None:
        return ALL
    wanted = release.share or 1
    if release.phase in (Phase.SHIFTING, Phase.BAKING):
        wanted = max(wanted, of_stage(release, release.stage))
    if goes_on(release):
        wanted = max(wanted, of_stage(release, path.following(release)))
    if release.phase is Phase.PROMOTING or release.exposed == ALL:
        wanted = ALL
    return wanted


def goes_on(release: Release) -> bool:
    """Whether capacity is all that the next raise can still wait for. Before the first stage, always."""
    if release.phase is Phase.PREPARING:
        return True
    return path.stage_done(release) and all(hold.kind in _CAPACITY for hold in release.holds)
