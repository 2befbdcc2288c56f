"""Port: the only truth. A commit is one value, so that a crash leaves all of it or nothing.

Everything that a target's decision changes travels in one `Unit`; units of a batch share a transaction where the
database allows it, but each stands or falls alone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

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


class Ledger(Protocol):
    """Raises Unavailable; after it a commit may or may not have happened: read again by version."""

    def claim(self, clusters: Collection[str], owner: str, lease: Micros, limit: int) -> tuple[TargetId, ...]:
        """Leases due targets of these clusters that nobody holds, urgent ones first. By the database's own clock.

        Due times and leases `BEYOND` now count as past. Targets that require more than this version reads are left to
        workers of the version that wrote them.
        """

    def load(self, targets: Collection[TargetId]) -> Mapping[TargetId, Snapshot]:
        """Snapshots of those that exist: the row, its active, queued and last releases, and the active's measuring.

        Without those that require more than this version reads.
        """

    def unreadable(self, targets: Collection[TargetId]) -> frozenset[TargetId]:
        """Those of them that exist, but require more than this version reads."""

    def require(self, service: str, least: int) -> None:
        """From now on the service's targets require at least this, because of what its file says."""

    def holds(self, target: TargetId, owner: str, version: int) -> bool:
        """Whether the claim is still the owner's, unexpired, and the row's version unchanged: the fence's check."""

    def commit(self, units: Sequence[Unit]) -> tuple[Committed, ...]:
        """Applies each unit atomically, in order; one that conflicts or is refused spoils no other."""

    def bump_epoch(self, target: TargetId, owner: str, version: int, above: int = 0) -> int | None:
        """The new epoch (greater than `above` too) of an owner that is about to write.

        None where the claim or the version is gone. Changes `epoch` and `writer` only; the version stays.
        """

    def head_at(self, release: ReleaseId, seq: int) -> str | None:
        """The hash of a release's event number `seq`; None where it does not have one."""

    def gates_before(self, release: Release) -> Mapping[str, object]:
        """Where each gate ended in the target's last release before this one that was measured; empty without one."""

    def settle(
        self, target: TargetId, owner: str, settled: tuple[int, ReleaseId, int], content: str, at: Micros
    ) -> bool:
        """Records an accepted write (version unchanged); False where the claim is gone."""

    def releases(self, ids: Collection[ReleaseId]) -> Mapping[ReleaseId, StoredRelease]:
        """Any releases by id, finished ones too."""

    def create_target(self, row: Row) -> bool:
        """False where it exists already."""

    def targets(self, service: str) -> tuple[TargetId, ...]:
        """All targets of a service."""

    def deliveries(self, keys: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Delivery]:
        """Inbox rows by (source, key)."""

    def update_delivery(self, delivery: Delivery, was: InboxState, alerts: Sequence[Alert] = ()) -> bool:
        """Replaces state, outcome, reason, answer and error of a row, and stores alerts with it; False, and nothing is
        stored, where it is not in that state any more."""

    def inbox(self, state: InboxState, limit: int, cluster: str | None = None) -> tuple[Delivery, ...]:
        """Oldest first; those of one cluster alone are told by their key, `KEY#SERVICE@CLUSTER`."""

    def inbox_heads(self, state: InboxState, limit: int) -> tuple[DeliveryHead, ...]:
        """As `inbox`, to be listed."""

    def claim_outbox(
        self,
        owner: str,
        lease: Micros,
        limit: int,
        without: Collection[str] = (),
        only: str | None = None,
        in_turn: bool = False,
    ) -> tuple[Outgoing, ...]:
        """Leases rows that are waiting and due; a row is handed out again when the lease is over.

        `without` has receivers, as channels begin with them, whose rows are left where they are; `only` names the one
        whose rows are meant. `in_turn`: a row whose release has an earlier one waiting for the same channel stays.
        """

    def update_outbox(self, rows: Sequence[Outgoing], holder: str | None = None, alerts: Sequence[Alert] = ()) -> bool:
        """Replaces state, attempts, due_at and error, and ends the lease: of all these rows, or (False) of none.
        Alerts are stored with them.

        With a holder: of rows that wait, and that it has leased. Without: of rows that are dead.
        """

    def outbox(self, state: OutboxState, limit: int) -> tuple[Outgoing, ...]:
        """Oldest first."""

    def posted(self, release: ReleaseId, channel: str) -> str | None:
        """What was noted last for this release and channel."""

    def note_posted(self, release: ReleaseId, channel: str, at: str) -> None:
        """Remembers where a chat has its message about the release."""

    def release_at(self, release: ReleaseId, seq: int) -> Release | None:
        """The release folded up to `seq`: what a message was about."""

    def put_service(self, record: ServiceRecord, seen: Seen | None = None) -> bool:
        """Stores revision n where the stored one is n - 1; False otherwise. Revision 1 creates.

        With `seen`, also False unless these are the service's targets, at these versions. All their versions go up: a
        decision about one that is under way rests on a file that is no longer so, and must conflict.
        """

    def services(self, names: Collection[str] | None = None) -> tuple[ServiceRecord, ...]:
        """All, or those of these names that there are; by name."""

    def service(self, name: str) -> ServiceRecord | None: ...

    def delete_service(self, name: str, seen: Seen | None = None) -> bool:
        """Its targets and history stay; its targets are no longer due. `seen` as for `put_service`."""

    def stops(self) -> tuple[StopOrder, ...]: ...

    def put_stop(self, order: StopOrder) -> None:
        """Replaces the order of the same scope, and makes the targets that it covers due."""

    def lift_stop(self, scope: str) -> None: ...

    def beat(self, worker: str, detail: str) -> None:
        """Says that this worker lives, by the database's clock."""

    def lease(self, name: str, owner: str, lasts: Micros) -> bool:
        """Takes or keeps a named lease (the observer of a cluster)."""

    def lateness(self, clusters: Collection[str]) -> tuple[int, Micros]:
        """How many due targets nobody holds, and how late the oldest is."""
