"""Standing work: what must be done for as long as the release is as it is. Doing it twice is harmless."""

from collections.abc import Iterator

from delivery.machine import path
from delivery.machine.desired import desired
from delivery.model.effect import ConfirmTraffic, Effect, EnsureWorkload, Measure, PublishBackend, WriteTraffic
from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import Micros
from delivery.model.release import Release
from delivery.model.version import VersionRef


def wants(release: Release, now: Micros) -> tuple[Effect, ...]:
    """In the order in which they are to be done.

    On the way up workloads and backends come before the route that names them; on the way back the route comes first
    and nothing before it. A finished release still wants its traffic, so that drift is seen.
    """
    if release.phase is Phase.QUEUED or release.bound is None:
        return ()
    traffic, workloads = tuple(_traffic(release)), tuple(_workloads(release))
    return (*traffic, *workloads) if release.phase is Phase.ROLLING_BACK else (*workloads, *traffic)


def _traffic(release: Release) -> Iterator[Effect]:
    """Nothing is written before the release wants something of its own, unless the route was found ahead of us.

    Where nothing is known to be stable, such a route has the only version that serves anybody: a person decides first.
    """
    if release.dseq == 0 and not release.held(HoldKind.HISTORY_LOST):
        return
    if path.capped(release) and path.first_version(release):
        return
    yield WriteTraffic(release.dseq, desired(release))
    if release.phase.closed or release.dseq == 0:
        return
    if release.confirmed != release.dseq:
        yield ConfirmTraffic(release.dseq)
    if release.phase is Phase.BAKING:
        yield Measure(release.stage, release.dseq)


def _workloads(release: Release) -> Iterator[Effect]:
    for version in _needed(release):
        yield EnsureWorkload(version)
        yield PublishBackend(version)


def _needed(release: Release) -> tuple[VersionRef, ...]:
    """The versions that get traffic, or may have to: the candidate no longer once traffic goes back to stable."""
    bound = release.bound
    if bound is None or release.phase.closed:
        return ()
    stable = (bound.stable,) if bound.stable is not None else ()
    leaves = release.phase is Phase.ROLLING_BACK and not release.stay
    return stable if leaves else (*stable, bound.candidate)
