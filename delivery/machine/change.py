"""What a decision about a target changes. It is stored in one commit or not at all."""

from dataclasses import dataclass

from delivery.model.event import Event
from delivery.model.ids import ReleaseId
from delivery.model.release import Release
from delivery.model.target import World


@dataclass(frozen=True, slots=True)
class Move:
    """One event with the release before and after it; nothing was before Created."""

    before: Release | None
    event: Event
    after: Release


@dataclass(frozen=True, slots=True)
class Change:
    """The world afterwards, and how it came about, in order."""

    world: World
    moves: tuple[Move, ...] = ()

    def then(self, after: "Change") -> "Change":
        """Both, one after the other; `after` was decided on this one's world."""
        return Change(after.world, (*self.moves, *after.moves))


@dataclass(frozen=True, slots=True)
class Admission:
    """What a notice came to: `outcome` is "release" (`release` is new), "signal" (it was told to `release`) or "no_op".

    `reason` is a code for programs, `text` its sentence. A no-op has a change only where it is a newer wish than all
    before it, so that an older event that comes late is known to be older.
    """

    outcome: str
    reason: str
    text: str = ""
    release: ReleaseId | None = None
    change: Change | None = None
