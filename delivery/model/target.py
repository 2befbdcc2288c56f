"""A target: a service in one cluster. It is what workers claim, and it owns the route."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.release import Release
from delivery.model.version import VersionRef


@dataclass(frozen=True, slots=True)
class Retiring:
    """A version that gets no traffic; its backend and workload may go at `after`, unless it is in use again.

    `copy`: the version itself stays, in its owners' own workload; only our copy of it is to go.
    """

    version: VersionRef
    after: Micros
    copy: bool | None = None
    kept_for: tuple[ReleaseId, int] | None = None  # the release whose rollback window this is, and its last event


@dataclass(frozen=True, slots=True)
class Target:
    """`last` is the release whose desired traffic is live, also when it is finished.

    `rejected` are identities that came to a bad end here, newest last (bounded). `newest` is, for each source, the
    time of the newest event that was accepted, and `named` the identities that its events of just that time were
    about (bounded): what comes once more under another id is known by both. `number` is that of the newest release.
    """

    id: TargetId
    service: str
    cluster: str
    stable: VersionRef | None = None
    active: ReleaseId | None = None
    queue: tuple[ReleaseId, ...] = ()
    last: ReleaseId | None = None
    rejected: tuple[str, ...] = ()
    newest: Mapping[str, Micros] = field(default_factory=dict)
    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    number: int = 0
    retiring: tuple[Retiring, ...] = ()
    resting: Micros | None = None  # from when on what releases kept from shrinking may shrink again
    paused: str | None = None  # break-glass: who stopped every write of ours here, and why
    paused_there: str | None = None  # the same, said in the mesh itself: where, why, and how it ends

    @property
    def in_hand(self) -> str | None:
        """Why nothing of ours is written here, if somebody has the routes in hand, by whichever way."""
        return "; ".join(filter(None, (self.paused, self.paused_there))) or None


@dataclass(frozen=True, slots=True)
class World:
    """A target with the releases that a decision can need: active, queued and last."""

    target: Target
    releases: Mapping[ReleaseId, Release] = field(default_factory=dict)

    @property
    def active(self) -> Release | None:
        return self.releases[self.target.active] if self.target.active else None

    @property
    def last(self) -> Release | None:
        return self.releases.get(self.target.last) if self.target.last else None
