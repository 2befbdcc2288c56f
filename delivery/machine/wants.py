"""Standing work: what must be done for as long as the release is as it is. Doing it twice is harmless."""

from collections.abc import Iterator

from delivery.machine import baseline, calling, path, share
from delivery.machine.desired import desired
from delivery.model.effect import (
    ConfirmTraffic,
    Effect,
    EnsureWorkload,
    FindStable,
    Measure,
    PromoteWorkload,
    PublishBackend,
    RunHook,
    WriteTraffic,
)
from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import Micros
from delivery.model.place import Mode
from delivery.model.release import Home, Release


def wants(release: Release, now: Micros) -> tuple[Effect, ...]:
    """In the order in which they are to be done.

    On the way up workloads and backends come before the route that names them; on the way back the route comes first
    and nothing before it. A finished release still wants its traffic, so that drift is seen.
    """
    if release.phase is Phase.QUEUED or release.bound is None:
        return ()
    traffic, workloads, home = tuple(_traffic(release)), tuple(_workloads(release)), tuple(_home(release))
    if release.phase is Phase.ROLLING_BACK:
        return (*traffic, *home, *workloads, *_hooks(release))
    return (*workloads, *traffic, *home, *_hooks(release))


def _traffic(release: Release) -> Iterator[Effect]:
    """Nothing is written before the release wants something of its own, unless the route was found ahead of us.

    Such a route stays as it is until a person decides, unless the release goes back: what the database says of it is
    old, and the versions that it would send users to may be gone. What is only observed is measured, and nothing of it
    is written ever.
    """
    if release.plan.mode is Mode.OBSERVE or path.left_alone(release):
        if release.phase is Phase.BAKING:
            yield Measure(release.stage, release.dseq)
        return
    if release.dseq == 0 and not release.held(HoldKind.HISTORY_LOST):
        return
    yield WriteTraffic(release.dseq, desired(release))
    if release.phase.closed or release.dseq == 0:
        return
    if release.confirmed != release.dseq:
        yield ConfirmTraffic(release.dseq)
    if release.phase is Phase.BAKING:
        yield Measure(release.stage, release.dseq)


def _workloads(release: Release) -> Iterator[Effect]:
    """The versions that get traffic, or may have to: the candidate no longer once traffic goes back to stable.

    What is stable comes first. At home it is not asked after while it is being replaced there on purpose.
    """
    bound = release.bound
    if bound is None or release.phase.closed:
        return
    if path.unsure_of_stable(release):
        yield FindStable()
        return
    if release.plan.mode is Mode.OBSERVE:
        yield EnsureWorkload(bound.candidate, home=True)
        return
    home = release.plan.home is not None
    if bound.stable is not None and release.home is None:
        yield EnsureWorkload(bound.stable, home)
        yield PublishBackend(bound.stable, home)
    if (release.phase is not Phase.ROLLING_BACK or release.stay) and not path.awaits_first_hooks(release):
        yield EnsureWorkload(bound.candidate, share=share.needed(release))
        yield PublishBackend(bound.candidate)
    yield from _copy(release)


def _copy(release: Release) -> Iterator[Effect]:
    """The copy of stable, for as long as it has a share of the traffic or is about to get one."""
    found, percent = baseline.version(release), baseline.needed(release)
    if found is not None and percent and not path.awaits_first_hooks(release):
        yield EnsureWorkload(found, share=percent)
        yield PublishBackend(found)


def _hooks(release: Release) -> Iterator[Effect]:
    run = calling.running(release)
    if run is not None:
        yield RunHook(run.hook, run.step, run.attempt)


def _home(release: Release) -> Iterator[Effect]:
    """The owners' own workload goes over to the candidate once that has every request, and back with a revert."""
    bound = release.bound
    if bound is None or release.home is None or path.capped(release):
        return
    if release.phase is Phase.PROMOTING and release.home is Home.BEGUN and release.confirmed == release.dseq:
        yield PromoteWorkload(bound.candidate)
    elif release.phase is Phase.ROLLING_BACK and bound.stable is not None:
        yield PromoteWorkload(bound.stable)
