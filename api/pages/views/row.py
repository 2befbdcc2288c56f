"""A release as a line of the list."""

from dataclasses import dataclass

from api.pages.views.badge import Badge, badges
from delivery.machine.desired import desired
from delivery.model.ids import Micros
from delivery.model.release import Release
from delivery.wording.release import outcome, target, versions
from delivery.wording.units import percent


@dataclass(frozen=True, slots=True)
class Row:
    """`share` is the candidate's of all requests, as it is wanted now; empty once the release is over."""

    id: str
    number: int
    service: str
    cluster: str
    versions: str
    badges: tuple[Badge, ...]
    actor: str
    share: str
    why: str
    created_at: Micros
    finished_at: Micros | None


def row(release: Release, paused: str | None = None) -> Row:
    """`paused`: who took the routes in hand."""
    service, cluster = target(release)
    over = release.phase.closed
    return Row(
        id=release.id,
        number=release.number,
        service=service,
        cluster=cluster,
        versions=versions(release),
        badges=badges(release, paused),
        actor=release.actor,
        share="" if over else percent(desired(release).weight),
        why=outcome(release).partition(": ")[2] if release.cause else "",
        created_at=release.created_at,
        finished_at=release.finished_at,
    )
