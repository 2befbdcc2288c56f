"""Which backends a release's roles mean. Stable in its owners' own workload is at home; a copy of ours is not."""

from delivery.machine import baseline
from delivery.model.event import Phase
from delivery.model.place import Mode
from delivery.model.release import Home, Release
from delivery.model.version import Backend


def stable(release: Release, service: str) -> Backend | None:
    """Stable's backend; None for the first version of a service, and where it was replaced in place already."""
    if release.plan.mode is Mode.OBSERVE:
        return None
    found = release.bound.stable if release.bound is not None else None
    return Backend(service, found, home=release.plan.home is not None) if found is not None else None


def candidate(release: Release, service: str) -> Backend:
    """The candidate's backend: a version of its own, or our copy."""
    return Backend(service, release.candidate, home=release.plan.mode is Mode.OBSERVE)


def copy(release: Release, service: str) -> Backend | None:
    """The backend of the copy of stable that it is compared with; None where the plan has none."""
    found = baseline.version(release)
    return Backend(service, found) if found is not None else None


def roles(release: Release, service: str) -> tuple[Backend | None, Backend | None]:
    """Stable's and candidate's backend for the traffic that is desired.

    Once the candidate is home it has what stable had, and the copy is named no more, so that it can go.
    """
    if release.home is Home.ENTERED and release.phase in (Phase.PROMOTING, Phase.PROMOTED):
        return Backend(service, release.candidate, home=True), None
    return stable(release, service), candidate(release, service)
