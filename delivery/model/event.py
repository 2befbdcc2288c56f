"""Stored facts of one release. `evolve` applies them; nothing here is ever computed again.

Renaming or removing a field changes stored history: raise the schema number in `codec` and add an upcaster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from delivery.model.hold import Hold, HoldKind
from delivery.model.hook import Step
from delivery.model.ids import PERSONAL, HookId, Micros, Principal, ReleaseId, Said, TargetId
from delivery.model.plan import Plan
from delivery.model.verdict import Judgement
from delivery.model.version import VersionRef


class Phase(StrEnum):
    QUEUED = "queued"
    PREPARING = "preparing"
    SHIFTING = "shifting"  # the stage's traffic is written, not yet proven at the proxies
    BAKING = "baking"  # proven; being measured
    PROMOTING = "promoting"
    ROLLING_BACK = "rolling_back"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    FAILED_TO_START = "failed_to_start"

    @property
    def closed(self) -> bool:
        """Whether the release is over: no signal changes it any more."""
        return self in _CLOSED


_CLOSED = frozenset(
    {Phase.PROMOTED, Phase.ROLLED_BACK, Phase.WITHDRAWN, Phase.CANCELLED, Phase.SUPERSEDED, Phase.FAILED_TO_START}
)


class CauseKind(StrEnum):
    """Why a release ended, or is going back."""

    COMPLETED = "completed"
    FIRST_VERSION = "first_version"
    ROLLBACK = "rollback"  # this release was itself the rollback of a finished one
    PROMOTED_BY_PERSON = "promoted_by_person"
    GATE_FAILED = "gate_failed"
    ABORTED = "aborted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    ALERT = "alert"
    APPROVAL_EXPIRED = "approval_expired"
    NO_DATA = "no_data"
    LOW_TRAFFIC = "low_traffic"
    INCONCLUSIVE = "inconclusive"
    SUPERSEDED = "superseded"
    STABLE_AGAIN = "stable_again"
    CANDIDATE_MISSING = "candidate_missing"
    CANDIDATE_FAILING = "candidate_failing"
    STABLE_MISSING = "stable_missing"  # what runs now, and is to be compared with, could not be found
    MESH_REFUSED = "mesh_refused"
    HOOK_FAILED = "hook_failed"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Cause:
    kind: CauseKind
    actor: Principal | None = None
    reason: Said = ""  # what the person or the failing part said
    judgement: Judgement | None = None
    other: ReleaseId | None = None  # the superseding release, or the one that is rolled back
    via: Said | None = None  # through what the person said it


class Level(StrEnum):
    """How a confirmation was proven, weakest first."""

    WRITTEN = "written"
    SETTLED = "settled"
    PROBED = "probed"
    ACKED = "acked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`at` never goes back within a release: `max(now, last.at)`."""

    at: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Created(Event):
    """The release exists; it waits for its turn. `origin`: what the sender told (run_url, commit, source)."""

    release: ReleaseId
    number: int
    target: TargetId
    candidate: VersionRef
    actor: Principal
    plan: Plan
    plan_digest: str
    retry_of: ReleaseId | None = None
    rolls_back: ReleaseId | None = None
    urgent: bool = False
    origin: Annotated[Mapping[str, str], PERSONAL] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """Its turn came: candidate and stable are bound now. No stable: the first version of the service."""

    stable: VersionRef | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StableFound(Event):
    """What the owners' own workload runs now: that is stable, whatever was recorded. None: nothing runs there."""

    stable: VersionRef | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateReady(Event):
    """The candidate's workload is ready and its backend is known to the proxies.

    `share` is the percent of the traffic that it can carry; None where it can carry any. Said again when it grew.
    """

    share: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEntered(Event):
    """Moves the desired traffic to the stage's; this event's number is the new dseq.

    `compared`: with the share that the stage has for a copy of stable; without it stable has that too.
    """

    stage: int
    compared: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineReady(Event):
    """The copy of stable is ready for `share` percent of the traffic, and known to the proxies. Said again when it
    grew."""

    share: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineLost(Event):
    """None of the copy of stable answers any more. `had_share`: stable has that back, and this event's number is the
    new dseq."""

    had_share: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficConfirmed(Event):
    dseq: int
    level: Level
    proxies: int = 0  # how many proved it, 0 where the level cannot count


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictChanged(Event):
    """`tick` is the last tick that it rests on; `evidence` is the hash over that stage's ticks so far."""

    judgement: Judgement
    tick: int
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved(Event):
    """One person's vote to enter the stage of this index; `len(stages)` is the raise to 100 percent."""

    stage: int
    dseq: int
    actor: Principal
    reason: Said = ""
    via: Said = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(Event):
    stage: int
    dseq: int
    actor: Principal
    reason: Said = ""
    via: Said = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPlaced(Event):
    hold: Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldLifted(Event):
    """`by` is None where the condition itself ended."""

    kind: HoldKind
    by: Principal | None = None
    reason: Said = ""
    via: Said | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideApproved(Event):
    """One person's word to raise exposure although this hold is on; it counts until `until`, None: while it is on."""

    kind: HoldKind
    actor: Principal
    reason: Said = ""
    via: Said = ""
    until: Micros | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePassed(Event):
    """`why` is "baked", "passed" (every gate passed early), "low_traffic", or "first_version" and the like.

    `judgements` are the stage's gates as of the last tick, whatever they say: whoever has to approve what comes next
    sees the numbers of a gate that stayed at `continue` too.
    """

    stage: int
    why: str
    baked: Micros
    requests: int
    first_tick: int
    last_tick: int
    evidence: str
    judgements: tuple[Judgement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSkipped(Event):
    stage: int
    actor: Principal
    reason: Said = ""
    via: Said | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionBegun(Event):
    """The candidate is to have everything; this event's number is the new dseq."""

    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeBegun(Event):
    """The copy has every request, proven: from now on the owners' own workload is made to run the candidate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeEntered(Event):
    """It runs the candidate, and is to have every request; this event's number is the new dseq."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeRestored(Event):
    """On the way back: the owners' own workload runs stable again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted(Event):
    """Confirmed at 100 percent: the stable pointer moves in the same commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackBegun(Event):
    """Stable is to have everything; this event's number is the new dseq. `then` is how the release ends.

    `stay`: stable is known to have no ready instance, so traffic stays where it is until this event comes again
    without it.
    """

    cause: Cause
    then: Phase
    stay: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed(Event):
    """The end that is not a promotion: confirmed at 0 percent, or never exposed."""

    phase: Phase
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftCorrected(Event):
    """Somebody else changed the route; it was put back. `detail` says what was found."""

    detail: Said


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshFailing(Event):
    """Said once, at the first failure of a row of them; traffic stays as it was."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshRecovered(Event):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLost(Event):
    """The route carries a newer head than the database: commits were lost. `live` is what the route was found to do."""

    detail: str
    live_weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HookBegun(Event):
    """From now on the hook is called, and its time runs. Attempts are numbered from 1."""

    hook: HookId
    step: Step
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HookEnded(Event):
    """`detail` is what the hook said, or why it counts as failed. `again`: there will be another attempt."""

    hook: HookId
    step: Step
    attempt: int
    ok: bool
    detail: Said = ""
    again: bool = False


EVENTS: tuple[type[Event], ...] = (
    Created, Started, CandidateReady, StageEntered, TrafficConfirmed, VerdictChanged, Approved, Rejected, HoldPlaced,
    HoldLifted, StagePassed, StageSkipped, PromotionBegun, Promoted, RollbackBegun, Closed, DriftCorrected, MeshFailing,
    MeshRecovered, HistoryLost, StableFound, HomeBegun, HomeEntered, HomeRestored,
    OverrideApproved, HookBegun, HookEnded, BaselineReady, BaselineLost,
)  # fmt: skip
