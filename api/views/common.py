"""Small parts that several views share."""

from api.schemas.common import Ref, VersionOut
from delivery.model.codec import StoredEvent
from delivery.model.event import Event, Phase
from delivery.model.ids import Micros, ReleaseId
from delivery.model.version import VersionRef
from delivery.ports.history import History
from delivery.wording.units import instant

PROGRESSING = "progressing"
_PAGE = 1000


def state(phase: Phase) -> str:
    """What people see: shifting and baking are one."""
    return PROGRESSING if phase in (Phase.SHIFTING, Phase.BAKING) else phase.value


def time(at: Micros | None) -> str | None:
    return None if at is None else instant(at)


def version(ref: VersionRef) -> VersionOut:
    return VersionOut(version=ref.version, identity=ref.identity, image=ref.image)


def ref(base: str, release: ReleaseId) -> Ref:
    return Ref(id=release, url=url(base, release))


def url(base: str, release: ReleaseId) -> str:
    return f"{base}/v1/releases/{release}"


def stored_events(history: History, release: ReleaseId) -> list[StoredEvent]:
    """All of them, however many."""
    events: list[StoredEvent] = []
    while page := history.events(release, events[-1].seq if events else 0, _PAGE):
        events += page
        if len(page) < _PAGE:
            break
    return events


def numbered(events: list[StoredEvent]) -> list[tuple[int, Event]]:
    return [(stored.seq, stored.event) for stored in events]
