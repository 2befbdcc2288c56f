"""A release: one attempt to make a candidate stable. Its state is the fold of its events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from delivery.model.event import Cause, Level, Phase
from delivery.model.hold import Hold, HoldKind, Word
from delivery.model.hook import HookRun
from delivery.model.ids import GateId, Micros, Principal, ReleaseId, TargetId
from delivery.model.plan import Plan
from delivery.model.verdict import Judgement
from delivery.model.version import VersionRef


@dataclass(frozen=True, slots=True)
class Bound:
    """The versions that the roles mean. No stable: the first version of the service."""

    stable: VersionRef | None
    candidate: VersionRef


class Home(StrEnum):
    """How far the owners' own workload has gone over to the candidate."""

    BEGUN = "begun"  # it may run stable, the candidate, or both
    ENTERED = "entered"  # it runs the candidate, and has the traffic


@dataclass(frozen=True, slots=True)
class Release:
    """Only what the events say.

    `seq` is the number of the last event (the first is 1). `dseq` is the number of the event that set the desired
    traffic, 0 before any did; `confirmed` is the last dseq that was proven at the proxies. `stage` is -1 before the
    first one. `deadline_left` was right at `deadline_at`; it runs from then on where no hold stops it.
    `approvals` are votes for (guarded stage, dseq live when voting): an abort moves dseq, so that late votes miss.
    `ceiling` is the weight that the route had when lost history was found: not to be exceeded until a stage is
    entered anew. A freeze that began before `freeze_lifted_at` is overridden. `share` is the percent of the traffic
    that the candidate is known to carry, None where that is not told. `looked`: what runs as stable was found. `home`
    is None while the owners' own workload runs nothing but stable. `hooks` has the newest attempt of each. `baseline`
    is the percent that the copy of stable is known to carry, None where none of it answers; `compared`: it has its
    share.
    """

    id: ReleaseId
    number: int
    target: TargetId
    candidate: VersionRef
    actor: Principal
    plan: Plan
    plan_digest: str
    created_at: Micros
    at: Micros
    phase: Phase = Phase.QUEUED
    seq: int = 0
    bound: Bound | None = None
    ready: bool = False  # the candidate was ready and known to the proxies
    stage: int = -1
    entered_at: Micros = Micros(0)  # when the stage was entered
    confirmed_at: Micros = Micros(0)  # when it was first proven
    dseq: int = 0
    confirmed: int = 0
    level: Level | None = None
    exposed: int = 0  # the highest weight that was ever desired
    shifted_at: Micros | None = None  # when the candidate was first to get anything
    passed: int = -1  # the last stage that passed or was skipped
    deadline_left: Micros = Micros(0)
    deadline_at: Micros = Micros(0)
    verdicts: Mapping[GateId, Judgement] = field(default_factory=dict)
    approvals: Mapping[tuple[int, int], tuple[Principal, ...]] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()
    waived: tuple[HoldKind, ...] = ()  # holds that a person lifted for the stage that is live
    freeze_lifted_at: Micros = Micros(0)
    mesh_failing: bool = False
    mesh_trouble: str = ""  # what the mesh said when it began to fail
    drifts: tuple[Micros, ...] = ()  # when the route was last put back, oldest first (bounded)
    ceiling: int | None = None
    stay: bool = False  # going back, but stable has no ready instance: traffic stays
    cause: Cause | None = None
    then: Phase | None = None
    retry_of: ReleaseId | None = None
    rolls_back: ReleaseId | None = None
    urgent: bool = False
    finished_at: Micros | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    share: int | None = None
    looked: bool | None = None
    home: Home | None = None
    overrides: tuple[Word, ...] | None = None  # who agreed to raise exposure although what is held is held
    whole: bool | None = None  # those who stay had all of it, without limits: the promotion had begun
    hooks: tuple[HookRun, ...] = ()
    baseline: int | None = None
    compared: bool | None = None

    def held(self, kind: HoldKind) -> bool:
        return any(hold.kind is kind for hold in self.holds)
