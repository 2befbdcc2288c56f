"""What the ledger stores, and the commit that stores it: one value, so that a crash leaves all of it or nothing.

Everything that a target's decision changes travels in one `Unit`; units of a batch share a transaction where the
database allows it, but each stands or falls alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from delivery.model.codec import StoredEvent
from delivery.model.ids import Micros, Principal, ReleaseId, TargetId
from delivery.model.release import Release
from delivery.model.since import FLOOR
from delivery.model.target import Target
from delivery.model.verdict import Counts, Tick

FARTHEST = Micros(60_000_000)
"""No due time and no lease is set further ahead than this; whoever waits longer looks again in between."""
BEYOND = Micros(2 * FARTHEST)
"""A due time or a lease further ahead was written by a clock that has gone back since: it counts as past."""


@dataclass(frozen=True, slots=True)
class Row:
    """The target's row: its pure state and what the engine needs to own and wake it.

    `version` counts commits that changed the row. `epoch` counts owners that wrote to the mesh; `writer` is the last
    of them. `settled` is the (epoch, release, dseq) of the last write that the mesh accepted, with the `content` it
    left. `due_at` None: only an input can wake it; `due_why` says what it waits for, for people. `failures` counts
    steps that raised in a row. `quarantined` has the error that took the row out of service. `requires` is the format
    (`delivery.model.since`) that its bytes need; it never falls.
    """

    target: Target
    version: int = 0
    epoch: int = 0
    writer: str = ""
    owner: str = ""
    lease_until: Micros = Micros(0)
    due_at: Micros | None = None
    due_why: str = ""
    settled: tuple[int, ReleaseId, int] | None = None
    content: str = ""
    written_at: Micros = Micros(0)  # when the desired traffic was last accepted, to time `grace` and reverts by
    urgent: bool = False  # a revert is on its way: claimed first
    failures: int = 0
    quarantined: str | None = None
    requires: int = FLOOR


@dataclass(frozen=True, slots=True)
class StoredRelease:
    """A release with the head of its event chain."""

    release: Release
    head: str


@dataclass(frozen=True, slots=True)
class Measuring:
    """The live stage's measurement, updated in place at each tick; no event, no new version of the row.

    `base` are the raw counters that the next delta starts from, `gates` each gate's own accumulators (plain JSON).
    `ticks` are those not yet in a segment. `totals` are the candidate's and stable's counts since the first tick of
    the release, for people.
    """

    release: ReleaseId
    stage: int = -1
    dseq: int = 0
    tick: int = 0
    at: Micros = Micros(0)
    baked: Micros = Micros(0)
    requests: int = 0
    first_tick: int = 0
    base: Mapping[str, object] = field(default_factory=dict)
    gates: Mapping[str, object] = field(default_factory=dict)
    ticks: tuple[Tick, ...] = ()
    evidence: str = ""
    totals: tuple[Counts, Counts] = (Counts(0, 0), Counts(0, 0))


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of ticks that will not change any more. `hash` chains over the segment before it."""

    release: ReleaseId
    first: int
    ticks: tuple[Tick, ...]
    hash: str


class InboxState(StrEnum):
    PENDING = "pending"  # kept, not yet admitted (its dialect only hints)
    DONE = "done"
    DEAD = "dead"  # could not be admitted; waits for a person
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of the inbox. Unique by (source, key). `answer` is what the sender was told, and is told again."""

    source: str
    key: str
    digest: str
    received_at: Micros
    body: bytes
    state: InboxState
    outcome: str = ""  # release | signal | no_op | accepted
    reason: str = ""
    answer: Mapping[str, object] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryHead:
    """A row of the inbox for a list: without what came, which may be long."""

    source: str
    key: str
    received_at: Micros
    state: InboxState
    outcome: str
    reason: str
    error: str


class OutboxState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A one-shot effect. `key` is `RELEASE:SEQ:CHANNEL`: made once, however often it is derived."""

    key: str
    channel: str  # "slack:#checkout-releases": the adapter and its own notion
    release: ReleaseId
    seq: int
    topic: str
    due_at: Micros
    call: bool = False
    state: OutboxState = OutboxState.WAITING
    attempts: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person of ours must see: a quarantine, a dead row. Shown by the API and counted."""

    at: Micros
    kind: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Unit:
    """One atomic change.

    `expect` and `owner`, where given, must still be the row's (also for a tick's `measuring` or a `wake` alone), else
    the unit is a conflict: so a person's commit while a worker holds the claim is never slept over.
    With `row`: the row gets version `expect + 1` and everything of `row` but what belongs to the claim holder and the
    fence (owner, lease_until, epoch, writer, settled, content, written_at: changed by claim, wake, bump_epoch, settle).
    Without `row` the version stays. `wake` is applied after `row`: it changes only due_at, due_why and urgent, and
    ends the claim where `release_claim` is set, whoever holds it: what must not wait for the holder can be claimed at
    once. Nothing that the holder decided before can follow: it does not own the target any more.
    Inbox rows are inserted; where (source, key) exists already the whole unit is a conflict.
    """

    target: TargetId | None = None
    expect: int | None = None
    owner: str | None = None
    row: Row | None = None
    releases: tuple[StoredRelease, ...] = ()
    events: tuple[StoredEvent, ...] = ()
    outbox: tuple[Outgoing, ...] = ()
    inbox: tuple[Delivery, ...] = ()
    measuring: Measuring | None = None
    segments: tuple[Segment, ...] = ()
    alerts: tuple[Alert, ...] = ()
    wake: "Wake | None" = None


@dataclass(frozen=True, slots=True)
class Wake:
    """When the target is due again; `sooner` keeps an earlier due time that somebody else set."""

    due_at: Micros | None
    why: str
    urgent: bool = False
    release_claim: bool = False
    sooner: bool = False


class Result(StrEnum):
    DONE = "done"
    CONFLICT = "conflict"  # version, owner or inbox key moved: read again
    POISON = "poison"  # the database refused this unit alone


@dataclass(frozen=True, slots=True)
class Committed:
    result: Result
    error: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a drain needs of one target, read in one transaction."""

    row: Row
    releases: Mapping[ReleaseId, StoredRelease]
    measuring: Measuring | None = None


@dataclass(frozen=True, slots=True)
class StopOrder:
    """No raises in `scope` ("*", "cluster:NAME" or "owner:NAME") until it is lifted."""

    scope: str
    by: Principal
    reason: str
    since: Micros


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """A service file as applied. `document` is the mapping that was read from it; `revision` counts applications."""

    name: str
    document: Mapping[str, object]
    digest: str
    revision: int
    applied_at: Micros
    applied_by: Principal


Seen = Mapping[TargetId, int]
"""Targets with the versions at which somebody looked at them."""
