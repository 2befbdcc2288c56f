"""The fence: the only writer of routes.

Read the route -> check in the database that we still own the target -> write, expecting what was read. A write that
was decided by somebody who lost the target meanwhile fails at one of the two, whatever the delay in between. The
epoch moves only when a new owner is about to write; a write is skipped only where our own last one is known to be
still there, never because live equals desired.
"""

from dataclasses import dataclass
from enum import StrEnum

from delivery.model.frozen import replace
from delivery.model.hold import HoldKind
from delivery.model.ids import ReleaseId
from delivery.model.release import Release
from delivery.ports.clock import Clock
from delivery.ports.errors import Conflict
from delivery.ports.ledger import Ledger
from delivery.ports.mesh import Confirmation, Live, Mesh, Route, Stamp
from delivery.ports.rows import Row


class Fenced(StrEnum):
    KEPT = "kept"  # our last write is still in force
    WRITTEN = "written"
    LOST = "lost"  # somebody else owns the target or changed the route meanwhile: claim again
    HISTORY_LOST = "history_lost"  # the route was stamped by commits that the database does not have
    FOREIGN = "foreign"  # changed by somebody else, and we were asked to leave such a change alone
    PAUSED = "paused"  # somebody stopped our writes in the mesh itself: not even a revert is written


@dataclass(frozen=True, slots=True)
class Outcome:
    """`row` has what the database now has. `drift` says what was found where it was not what we had written."""

    result: Fenced
    row: Row
    drift: str = ""
    live: Live | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """The wish: this route, for this release's newest `dseq`. `head` is the hash of the release's newest event."""

    route: Route
    release: Release
    head: str
    correct: bool = True  # put back what somebody else changed

    @property
    def token(self) -> tuple[ReleaseId, int]:
        return (self.release.id, self.release.dseq)


class Fence:
    def __init__(self, ledger: Ledger, clock: Clock, owner: str) -> None:
        self._ledger = ledger
        self._clock = clock
        self._owner = owner

    def write(self, mesh: Mesh, row: Row, order: Order, observed: str | None) -> Outcome:
        """Makes the route what the order says. Raises Unavailable and Refused as the mesh does.

        A route that is ahead of the database is left alone until the release knows of it: then what it desires is the
        lower of both, and that is written; or, where a person decided so, all that it desires.
        """
        if in_force(row, order.release, observed):
            return Outcome(Fenced.KEPT, row)
        settled = _settled(row, order.release)
        live = mesh.read(row.target.id)
        if live.paused is not None:
            return Outcome(Fenced.PAUSED, row, live=live)
        if settled and live.content == row.content:
            return Outcome(Fenced.KEPT, row, live=live)
        drift = self._drift(row, live)
        if self._ahead(live) and not _may_write(order, live, row):
            return Outcome(Fenced.HISTORY_LOST, row, drift=f"the route carries {_stamp(live.stamp)}", live=live)
        if drift and settled and not order.correct:
            return Outcome(Fenced.FOREIGN, row, drift=drift, live=live)
        return self._write(mesh, row, order, live, drift if settled else "")

    def confirm(self, mesh: Mesh, row: Row, release: ReleaseId, dseq: int) -> Confirmation | None:
        """What the proxies say of our last write; None where that is not what the route has now.

        They may run something else under the same token: what commits decided that the database has lost since. It is
        no proof, however alike it looks, and nobody is behind who runs it.
        """
        found = mesh.confirm(row.target.id, release, dseq)
        return found if found.content == row.content else None

    def owns(self, row: Row) -> bool:
        """Whether what was decided on this row may still be done."""
        return self._ledger.holds(row.target.id, self._owner, row.version)

    def accept(self, row: Row, live: Live) -> Row:
        """Takes a foreign change as what is there from now on, so that it is reported once."""
        if row.settled is None or not self._ledger.settle(
            row.target.id, self._owner, row.settled, live.content, row.written_at
        ):
            return row
        return replace(row, content=live.content)

    def _write(self, mesh: Mesh, row: Row, order: Order, live: Live, drift: str) -> Outcome:
        row = self._own(row, live)
        if not self.owns(row):
            return Outcome(Fenced.LOST, row)
        stamp = Stamp(row.epoch, order.release.id, order.release.dseq, order.release.seq, order.head)
        try:
            written = mesh.write(order.route, stamp, live.revision)
        except Conflict:
            return Outcome(Fenced.LOST, row)
        settled = (row.epoch, *order.token)
        again = row.settled is not None and row.settled[1:] == order.token
        at = row.written_at if again else self._clock.now()
        after = replace(row, settled=settled, content=written.content, written_at=at)
        if not self._ledger.settle(row.target.id, self._owner, settled, written.content, at):
            return Outcome(Fenced.LOST, row)
        return Outcome(Fenced.WRITTEN, after, drift=drift, live=live)

    def _own(self, row: Row, live: Live) -> Row:
        """Moves the epoch where another owner wrote last, or where the route has seen a later one than our row."""
        seen = live.stamp.epoch if live.stamp else 0
        if row.writer == self._owner and seen <= row.epoch:
            return row
        epoch = self._ledger.bump_epoch(row.target.id, self._owner, row.version, above=seen)
        return row if epoch is None else replace(row, epoch=epoch, writer=self._owner)

    @staticmethod
    def _drift(row: Row, live: Live) -> str:
        if row.settled is None or live.content == row.content:
            return ""
        return f"{_stamp(live.stamp)}, candidate weight {live.weight}"

    def _ahead(self, live: Live) -> bool:
        """Whether the route was written after an event that our database does not have (it lost commits)."""
        stamp = live.stamp
        return stamp is not None and self._ledger.head_at(stamp.release, stamp.seq) != stamp.head


def in_force(row: Row, release: Release, observed: str | None) -> bool:
    """Whether our last write was this release's newest wish, and `observed` says that it is still there."""
    return _settled(row, release) and observed == row.content


def own_weight(live: Live, release: Release) -> int:
    """What the route gives this release's candidate: nothing, where another release wrote it."""
    return live.weight if live.stamp is not None and live.stamp.release == release.id else 0


def _may_write(order: Order, live: Live, row: Row) -> bool:
    """Over a route that is ahead: what raises nothing, once the release knows of it; anything, if a person said so.

    What a person said is carried out once that was written, or the release is over: what is ahead then was lost later.
    """
    release = order.release
    decided = HoldKind.HISTORY_LOST in release.waived and not release.phase.closed
    if decided and (row.settled is None or row.settled[1:] != order.token):
        return True
    return release.held(HoldKind.HISTORY_LOST) and order.route.traffic.weight <= own_weight(live, release)


def _settled(row: Row, release: Release) -> bool:
    return row.settled == (row.epoch, release.id, release.dseq)


def _stamp(stamp: Stamp | None) -> str:
    return (
        "no stamp of ours"
        if stamp is None
        else f"the stamp of {stamp.release} at event {stamp.seq}, epoch {stamp.epoch}"
    )
