"""The copy of stable that a candidate is compared with: as young as it, and with a share of the requests of its own.

It is waited for on the way up alone. A stage's traffic has its share only while it is known to answer; on the way back
nothing asks after it.
"""

from delivery.machine import path, share
from delivery.model.event import Phase, StageEntered
from delivery.model.frozen import replace
from delivery.model.hold import HoldKind
from delivery.model.ids import Micros
from delivery.model.release import Release
from delivery.model.traffic import Traffic
from delivery.model.version import VersionRef


def version(release: Release) -> VersionRef | None:
    """The copy; None where no stage of the plan compares with one, or nothing is stable."""
    stable = release.bound.stable if release.bound is not None else None
    if stable is None or not any(stage.traffic.baseline for stage in release.plan.stages):
        return None
    return stable.copy_for(release.id)


def of_stage(release: Release, stage: int) -> int:
    """The percent that it gets in `stage` (`len(stages)`: the raise to 100 percent); 0 where there it has no part."""
    stages = release.plan.stages
    return stages[stage].traffic.baseline or 0 if stage < len(stages) and not path.first_version(release) else 0


def enough(release: Release, stage: int) -> bool:
    """Whether it is known to carry what `stage` sends to it, or a person goes on without it."""
    carries = (release.baseline or 0) >= of_stage(release, stage)
    return carries or HoldKind.BASELINE_UNREADY in release.waived


def needed(release: Release) -> int:
    """The percent that it must be able to carry now; 0 where nothing is sent to it now, nor by the next raise."""
    match release.phase:
        case Phase.PREPARING:
            return of_stage(release, path.following(release))
        case Phase.SHIFTING | Phase.BAKING:
            ahead = of_stage(release, path.following(release)) if share.goes_on(release) else 0
            wanted = max(of_stage(release, release.stage), ahead)
            return max(wanted, release.baseline or 0) if wanted else 0
        case Phase.ROLLING_BACK if release.stay and release.compared:
            return of_stage(release, release.stage)
    return 0


def awaited(release: Release) -> bool:
    """Whether it is all that a release which begins still waits for."""
    return release.phase is Phase.PREPARING and release.ready and not enough(release, path.following(release))


def returns(release: Release) -> bool:
    """Whether a stage that went on without it is to begin anew, with it."""
    if release.phase not in (Phase.SHIFTING, Phase.BAKING) or release.compared or release.passed >= release.stage:
        return False
    wanted = of_stage(release, release.stage)
    return 0 < wanted <= (release.baseline or 0)


def entered(release: Release, at: Micros, stage: int) -> StageEntered:
    """The event that enters a stage, with the copy's share where it can carry that."""
    wanted = of_stage(release, stage)
    return StageEntered(at=at, stage=stage, compared=True if 0 < wanted <= (release.baseline or 0) else None)


def traffic(release: Release) -> Traffic:
    """What the stage that is live asks for: without a copy, stable has its share."""
    wanted = release.plan.stages[release.stage].traffic
    return wanted if release.compared else replace(wanted, baseline=None)
