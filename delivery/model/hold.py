"""Named reasons why exposure may not rise now. Holds are one set: a raise needs it empty, a revert never looks."""

from dataclasses import dataclass
from enum import StrEnum

from delivery.model.ids import Micros, Principal, Said


class HoldKind(StrEnum):
    PAUSE = "pause"
    FREEZE = "freeze"  # derived from the context: a freeze window is open
    STOP = "stop"  # derived from the context: somebody said "no raises anywhere"
    APPROVAL = "approval"  # derived: the next stage needs people
    LOW_TRAFFIC = "low_traffic"
    INCONCLUSIVE = "inconclusive"
    NO_DATA = "no_data"
    SPLIT_MISMATCH = "split_mismatch"
    DRIFT_STORM = "drift_storm"
    STRAGGLERS = "stragglers"
    STABLE_UNREADY = "stable_unready"
    CANDIDATE_UNREADY = "candidate_unready"  # it was ready and is not any more
    BASELINE_UNREADY = "baseline_unready"  # the copy of stable that the candidate is compared with is not ready
    HOOK = "hook"  # one has failed that something waited for
    HISTORY_LOST = "history_lost"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Hold:
    """`since` is when it was placed; `by` is the person who placed it, where one did; `until` is None if open-ended.

    `stops`: the stage's deadline stands still while it is there. Stored, so that a later rule changes no old release.
    """

    kind: HoldKind
    since: Micros
    detail: Said = ""
    by: Principal | None = None
    until: Micros | None = None
    stops: bool = False
    via: Said | None = None  # through what the person placed it


@dataclass(frozen=True, slots=True)
class Word:
    """Somebody's consent to raise exposure although a hold is on. `until` None: as long as the hold lasts."""

    kind: HoldKind
    actor: Principal
    until: Micros | None = None
