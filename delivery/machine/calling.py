"""Which hook is to be called now: what the release's next step waits for."""

from collections.abc import Iterator

from delivery.machine import path
from delivery.machine.hooks import last, outstanding
from delivery.model.event import Phase
from delivery.model.hook import HookRun, HookSpec, HookState, Step, When
from delivery.model.release import Release


def owed(release: Release) -> tuple[HookSpec, Step] | None:
    """The hook that comes next, or runs; None where nothing waits for one. One at a time, in the plan's order."""
    for step in _steps(release):
        if (spec := outstanding(release, step)) is not None:
            return spec, step
    return None


def running(release: Release) -> HookRun | None:
    """The attempt that is being made now."""
    found = owed(release)
    run = last(release, found[0].id, found[1]) if found is not None else None
    return run if run is not None and run.state is HookState.RUNNING else None


def _steps(release: Release) -> Iterator[Step]:
    """The points that the release has come to. The rollback of a finished release waits for none but the last."""
    straight = release.rolls_back is not None
    match release.phase:
        case Phase.PREPARING if not straight and not path.unsure_of_stable(release):
            yield Step(When.START)
            yield from _before_what_follows(release)
        case Phase.BAKING if not straight:
            if path.awaits_own_hooks(release):
                yield Step(When.DURING, release.stage)
            yield from _before_what_follows(release)
        case Phase.PROMOTING if path.arrived(release):
            yield Step(When.PROMOTED)
        case Phase.ROLLING_BACK if path.arrived(release):
            yield Step(When.REVERTED)


def _before_what_follows(release: Release) -> Iterator[Step]:
    """Once nothing else is left to do here: not on a way that ends without promotion."""
    if not path.stage_done(release) or path.withdraws(release):
        return
    yield Step(When.TRAFFIC)
    stage = path.following(release)
    if stage < len(release.plan.stages) and not path.first_version(release):
        yield Step(When.BEFORE, stage)
    else:
        yield Step(When.PROMOTION)
