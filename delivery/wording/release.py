"""A release in one line."""

from delivery.model.event import Phase
from delivery.model.release import Release
from delivery.wording.cause import because
from delivery.wording.history import PHASES
from delivery.wording.traffic import place
from delivery.wording.units import duration


def target(release: Release) -> tuple[str, str]:
    """Service and cluster."""
    service, _, cluster = release.target.rpartition("@")
    return service, cluster


def versions(release: Release) -> str:
    """`1.4.1 -> 1.4.2`; the candidate alone where nothing is stable or nothing is bound yet."""
    if release.bound is None or release.bound.stable is None:
        return release.candidate.version
    return f"{release.bound.stable.version} -> {release.candidate.version}"


def state(release: Release) -> str:
    """Where it is: `queued`, `canary 5% (2/4)`, `rolling back`, `promoted`."""
    if release.phase in (Phase.SHIFTING, Phase.BAKING):
        return place(release.stage, release.plan.stages)
    return PHASES[release.phase]


def headline(release: Release) -> str:
    """`checkout 1.4.1 -> 1.4.2 · prod-eu · canary 5% (2/4) · alice · #412`."""
    service, cluster = target(release)
    parts = [f"{service} {versions(release)}", cluster, state(release), release.actor, f"#{release.number}"]
    return " · ".join(parts)


def outcome(release: Release) -> str:
    """How it ended and why, once it is over; else where it is."""
    if release.cause is None:
        return state(release)
    return f"{PHASES[release.phase]}: {because(release.cause)}"


def reverted_in(began: int, confirmed: int) -> str:
    """How long users could still meet the candidate after the decision to go back."""
    return duration(confirmed - began)
