"""What may be asked of the list of releases."""

from enum import StrEnum

from pydantic import AwareDatetime, ConfigDict, Field

from api.paging import MOST
from api.schemas.common import In, Line, Name
from delivery.model.event import Phase
from delivery.model.ids import Micros
from delivery.ports.history import Filter


class State(StrEnum):
    """`open` and `closed` are groups; `progressing` is shifting and baking."""

    OPEN = "open"
    CLOSED = "closed"
    QUEUED = "queued"
    PREPARING = "preparing"
    PROGRESSING = "progressing"
    PROMOTING = "promoting"
    ROLLING_BACK = "rolling_back"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    FAILED_TO_START = "failed_to_start"

    def stored(self) -> tuple[str, ...]:
        """The phases or groups that the history knows."""
        if self is State.PROGRESSING:
            return (Phase.SHIFTING.value, Phase.BAKING.value)
        return (self.value,)


class ReleaseQuery(In):
    """All that are given must hold. A parameter that is not known is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    service: Name | None = None
    cluster: Name | None = None
    state: list[State] = Field([], description="Repeat it for several.")
    actor: Line | None = None
    version: Line | None = None
    number: int | None = Field(None, ge=1, lt=2**31, description="All releases with this number, without pages.")
    since: AwareDatetime | None = Field(None, description="Created at this time or later.")
    until: AwareDatetime | None = Field(None, description="Created before this time.")
    per_page: int = Field(50, ge=1, le=MOST)
    cursor: str | None = Field(None, max_length=200)

    def filter(self) -> Filter:
        return Filter(
            service=self.service,
            cluster=self.cluster,
            states=tuple(stored for state in self.state for stored in state.stored()),
            actor=self.actor,
            version=self.version,
            since=_micros(self.since),
            until=_micros(self.until),
        )


def _micros(time: AwareDatetime | None) -> Micros | None:
    return None if time is None else Micros(int(time.timestamp() * 1_000_000))
