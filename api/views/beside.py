"""What a deployer beside a release said of itself last."""

import json

from api.schemas.common import BesideOut
from delivery.engine.beside import BESIDE
from delivery.model.ids import Micros, ReleaseId
from delivery.model.standing import Standing
from delivery.ports.ledger import Ledger
from delivery.wording.beside import says
from delivery.wording.units import instant


def beside(ledger: Ledger, release: ReleaseId | None) -> BesideOut | None:
    """As it was noted while the release ran; None where nobody is beside it."""
    found = _noted(ledger, release)
    if found is None:
        return None
    seen, at = found
    return BesideOut(
        name=seen.name,
        sync=seen.sync,
        health=seen.health,
        detail=seen.detail,
        revision=seen.revision,
        at=instant(at),
        text=says(seen, at),
    )


def sentence(ledger: Ledger, release: ReleaseId) -> str:
    """For an explanation; nothing where nobody is beside it."""
    found = _noted(ledger, release)
    return says(*found) if found else ""


def _noted(ledger: Ledger, release: ReleaseId | None) -> tuple[Standing, Micros] | None:
    text = ledger.posted(release, BESIDE) if release is not None else None
    if text is None:
        return None
    note = json.loads(text)
    at = Micros(note.pop("at"))
    return Standing(**note), at
