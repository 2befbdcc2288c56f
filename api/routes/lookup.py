"""The release that a path names."""

import re
from typing import Annotated

from fastapi import Depends, Path

from api.problems import Problem
from api.services import AppServices, Services
from delivery.model.ids import ReleaseId
from delivery.ports.ledger import StoredRelease

_ID = re.compile(r"rel_[0-9A-Za-z]{1,64}")
Id = Annotated[str, Path(alias="id", description="`rel_...`", examples=["rel_01JD"])]


def find(services: AppServices, given: str) -> StoredRelease:
    """Raises the problem `unknown-release`."""
    stored = services.history.release(ReleaseId(given)) if _ID.fullmatch(given) else None
    if stored is None:
        raise Problem("unknown-release", "there is no release with this id; GET /v1/releases lists them")
    return stored


def _found(services: Services, given: Id) -> StoredRelease:
    return find(services, given)


Found = Annotated[StoredRelease, Depends(_found)]
