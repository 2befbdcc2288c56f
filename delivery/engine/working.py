"""A target while it is being worked on: what was read, what was decided since, and the unit that makes it true."""

from collections.abc import Callable
from dataclasses import dataclass, field

from delivery.engine.audience import SILENT, Audience
from delivery.machine.change import Change, Move
from delivery.model.codec import GENESIS, StoredEvent, seal
from delivery.model.frozen import replace
from delivery.model.hold import HoldKind
from delivery.model.ids import Micros, ReleaseId
from delivery.model.outward import Topic
from delivery.model.release import Release
from delivery.model.since import APART, FLOOR, needed
from delivery.model.target import Target, World
from delivery.ports.rows import Alert, Delivery, Measuring, Outgoing, Row, Segment, Snapshot, StoredRelease, Unit, Wake


@dataclass(slots=True)
class Working:
    """`row` is as stored, `salt` as in the port Ids. Everything below `world` is decided but not yet committed."""

    row: Row
    world: World
    heads: dict[ReleaseId, str]
    measuring: Measuring | None
    stored: Snapshot
    salt: Callable[[], str]
    audience: Audience = SILENT
    changed: dict[ReleaseId, StoredRelease] = field(default_factory=dict)
    events: list[StoredEvent] = field(default_factory=list)
    outbox: list[Outgoing] = field(default_factory=list)
    inbox: list[Delivery] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    requires: int = FLOOR
    ticked: bool = False
    row_changed: bool = False

    @staticmethod
    def of(snapshot: Snapshot, salt: Callable[[], str], audience: Audience = SILENT) -> "Working":
        world = World(snapshot.row.target, {key: stored.release for key, stored in snapshot.releases.items()})
        heads = {key: stored.head for key, stored in snapshot.releases.items()}
        return Working(snapshot.row, world, heads, snapshot.measuring, snapshot, salt, audience)

    @property
    def target(self) -> Target:
        return self.world.target

    @property
    def live(self) -> Release | None:
        """The release whose desired traffic is the target's: the active one once it set any, else the last.

        Where history was lost, also one that has set none: then it desires that nothing of it is live.
        """
        active = self.world.active
        sets = active is not None and (active.dseq > 0 or active.held(HoldKind.HISTORY_LOST))
        return active if sets else self.world.last

    def apply(self, change: Change, now: Micros) -> None:
        """Takes over what was decided; one-shot effects follow from each event."""
        for move in change.moves:
            self._append(move, now)
        if change.world.target != self.world.target:
            self.row_changed = True
        self.world = change.world

    def know(self, release: ReleaseId, stored: StoredRelease) -> None:
        """Adds a release that the snapshot does not have."""
        self.world = World(self.world.target, {**self.world.releases, release: stored.release})
        self.heads[release] = stored.head

    def quarantine(self, error: str, now: Micros) -> None:
        """Takes the target out of service: what was decided since the last commit is dropped, people are told once."""
        fresh = Working.of(self.stored, self.salt, self.audience)
        self.world, self.heads, self.measuring = fresh.world, fresh.heads, fresh.measuring
        self._clear()
        if self.row.quarantined is None:
            self.row = replace(self.row, quarantined=error)
            self.alerts.append(Alert(now, "quarantined", self.row.target.id, error))
            self.row_changed = True

    def recover(self) -> None:
        """Takes the target into service again."""
        self.row = replace(self.row, quarantined=None, failures=0)
        self.row_changed = True

    def note_failure(self, error: str, now: Micros, limit: int) -> None:
        """Counts a fault of ours while performing; too many in a row end in quarantine."""
        failures = self.row.failures + 1
        if failures >= limit:
            self.quarantine(error, now)
        self.row = replace(self.row, failures=failures)
        self.row_changed = True

    def note_success(self) -> None:
        """Ends a row of failures."""
        if self.row.failures:
            self.row = replace(self.row, failures=0)
            self.row_changed = True

    def note_pause(self, paused: str | None) -> None:
        """Notes whether somebody has stopped our writes in the mesh itself."""
        if paused != self.target.paused_there:
            self.retarget(replace(self.target, paused_there=paused))

    def retarget(self, target: Target) -> None:
        """Changes the target without an event: bookkeeping such as what is still to be retired."""
        self.world = World(target, self.world.releases)
        self.row_changed = True

    def tell(self, release: ReleaseId, seq: int, said: Topic, now: Micros) -> None:
        """Other systems are told, once, of what is no event of the release's own."""
        self.outbox += self.audience.told(release, seq, said, now)

    def _append(self, move: Move, now: Micros) -> None:
        release = move.after
        event = seal(release.id, release.seq, self.heads.get(release.id, GENESIS), move.event, self.salt())
        self.heads[release.id] = event.hash
        self.events.append(event)
        self.requires = max(self.requires, needed(move.event), APART if event.said else FLOOR)
        self.changed[release.id] = StoredRelease(release, event.hash)
        self.row_changed = True
        self.outbox += self.audience.hears(move, now)

    @property
    def dirty(self) -> bool:
        return self.row_changed or self.ticked or bool(self.inbox or self.alerts)

    def unit(self, owner: str | None, wake: Wake | None) -> Unit:
        """All that was decided since the last commit, as one atomic change."""
        row = replace(self.row, target=self.world.target, requires=self._requires()) if self.row_changed else None
        return Unit(
            target=self.row.target.id,
            expect=self.row.version,
            owner=owner,
            row=row,
            releases=tuple(self.changed.values()),
            events=tuple(self.events),
            outbox=tuple(self.outbox),
            inbox=tuple(self.inbox),
            measuring=self.measuring if self.ticked else None,
            segments=tuple(self.segments),
            alerts=tuple(self.alerts),
            wake=wake,
        )

    def _requires(self) -> int:
        return max(self.row.requires, self.requires, needed(self.world.target))

    def committed(self) -> None:
        """Forgets what is now stored."""
        if self.row_changed:
            version, requires = self.row.version + 1, self._requires()
            self.row = replace(self.row, target=self.world.target, version=version, requires=requires)
        releases = {key: StoredRelease(release, self.heads[key]) for key, release in self.world.releases.items()}
        self.stored = Snapshot(self.row, releases, self.measuring)
        self._clear()

    def _clear(self) -> None:
        self.changed.clear()
        for pending in (self.events, self.outbox, self.inbox, self.segments, self.alerts):
            pending.clear()
        self.ticked = self.row_changed = False
