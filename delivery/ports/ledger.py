"""Port: the only truth. What it stores, and in which pieces, is in `rows`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.release import Release
from delivery.ports.rows import (
    Alert,
    Committed,
    Delivery,
    DeliveryHead,
    InboxState,
    OutboxState,
    Outgoing,
    Row,
    Seen,
    ServiceRecord,
    Snapshot,
    StopOrder,
    StoredRelease,
    Unit,
)


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
