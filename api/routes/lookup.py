"""The release that a path names."""

import re
from typing import Annotated

from fastapi import Depends, Path

from api.problems import Problem
from api.services import AppServices, Services
from delivery.machine.actions import allowed, taken_back
from delivery.machine.wake import wake
from delivery.model.context import Context
from delivery.model.ids import ReleaseId
from delivery.model.record import RecordKind, StoredRecord
from delivery.model.release import Release
from delivery.model.target import Target
from delivery.ports.rows import Row, StoredRelease
from delivery.wording.explain import Explanation, Near, explain
from delivery.wording.release import target
from delivery.wording.units import instant

_ID = re.compile(r"rel_[0-9A-Za-z]{1,64}")
Id = Annotated[str, Path(alias="id", description="`rel_...`", examples=["rel_01JD"])]


def find(services: AppServices, given: str) -> StoredRelease:
    """Raises the problem `unknown-release`."""
    stored = services.history.release(ReleaseId(given)) if _ID.fullmatch(given) else None
    if stored is None:
        gone = services.history.last_record(RecordKind.DROPPED, given) if _ID.fullmatch(given) else None
        text = "there is no release with this id; GET /v1/releases lists them"
        raise Problem("unknown-release", _gone(gone) if gone else text)
    return stored


def _gone(record: StoredRecord) -> str:
    data = record.data
    what = f"#{data['number']} of {data['target']} ({data['version']}, {data['state']})"
    return f"{what} was taken away on {instant(record.at)}, its time was over: record {record.n} of the history tells"


def context(services: AppServices, release: Release) -> Context:
    """What a decision about the release may know now."""
    service, cluster = target(release)
    return services.book.context(Target(release.target, service, cluster), recent=True)


def row_of(services: AppServices, release: Release) -> Row | None:
    """The row of its target; None where the service was removed since."""
    rows = services.history.rows(target(release)[0])
    return next((row for row in rows if row.target.id == release.target), None)


def in_hand(services: AppServices, release: Release) -> str | None:
    """Who took the routes of the release's service in hand, and why."""
    row = row_of(services, release)
    return row.target.in_hand if row is not None else None


def possible(services: AppServices, release: Release) -> tuple[str, ...]:
    """What anybody could do to it now."""
    row = row_of(services, release)
    return allowed(release, context(services, release), row.target if row is not None else None)


def explained(services: AppServices, release: Release, beside: str = "") -> Explanation:
    """Why it is where it is. `beside`: what a deployer beside us says of itself."""
    around, row = context(services, release), row_of(services, release)
    near = Near(beside=beside)
    if row is not None:
        near = Near(row.target.in_hand, beside, row.due_why, taken_back(release, row.target))
    return explain(release, around, wake(release, around), near)


def _found(services: Services, given: Id) -> StoredRelease:
    return find(services, given)


Found = Annotated[StoredRelease, Depends(_found)]
