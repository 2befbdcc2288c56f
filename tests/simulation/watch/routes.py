"""Looks at every route that is stored in a mesh, and at every version that is retired."""

from collections.abc import Callable, Iterable

from delivery.adapters.mesh.answer import destinations
from delivery.adapters.mesh.memory import Entry, Mood, at_home
from delivery.engine.drain import LEASE
from delivery.machine.desired import desired
from delivery.model.event import (
    Event,
    HoldLifted,
    Level,
    Phase,
    PromotionBegun,
    RollbackBegun,
    StageEntered,
    StagePassed,
    StageSkipped,
)
from delivery.model.hold import HoldKind
from delivery.model.ids import ReleaseId, TargetId
from delivery.model.release import Release
from delivery.model.traffic import Traffic, raises
from delivery.model.version import Backend, Lane, VersionRef
from delivery.ports.mesh import Stamp
from tests.simulation.parts import SimMesh
from tests.simulation.scheduler import Actor, Scheduler
from tests.simulation.watch.copies import Copies
from tests.simulation.watch.ghost import Broken, Ghost
from tests.simulation.watch.homes import Homes

MOMENT = 100_000
Content = tuple[TargetId, Stamp | None, Traffic]


class Routes:
    """`foreign` is set while somebody else writes."""

    def __init__(self, ghost: Ghost, scheduler: Scheduler, broken: Broken, homes: Homes, copies: Copies) -> None:
        self._ghost, self._scheduler, self._broken = ghost, scheduler, broken
        self._homes, self._copies = homes, copies
        self._checked: dict[Actor | None, int] = {}
        self.foreign = False
        self.writes = 0
        self._edits: set[Content] = set()
        self._edited: dict[TargetId, int] = {}
        self._epochs: dict[TargetId, int] = {}
        self._stamped: dict[TargetId, int] = {}
        self._unsure: set[TargetId] = set()
        self._reverted: dict[ReleaseId, TargetId] = {}

    def stored(self, mesh: SimMesh, entry: Entry) -> None:
        """A route is about to be stored."""
        self._stamped[entry.route.target] = entry.stamp.epoch if entry.stamp is not None else 0
        if self.foreign:
            self._edits.add(_content(entry))
            self._edited[entry.route.target] = self._scheduler.monotonic
            self._forget(entry.route.target)
        elif entry.stamp is not None:
            self.writes += 1
            self._ours(mesh, entry, entry.stamp)

    def lost(self) -> None:
        """The database lost commits: until the next write, what the last one was may stand on the route alone."""
        self._unsure = set(self._epochs)
        for target in self._unsure:
            self._forget(target)

    def _forget(self, target: TargetId) -> None:
        """What stood on the route alone, and somebody took off it, nobody can know any more."""
        if target not in self._unsure:
            return
        self._epochs[target] = self._stamped.get(target, 0)
        if not self._epochs[target]:
            self._reverted = {release: where for release, where in self._reverted.items() if where != target}

    def checked(self) -> None:
        """Whoever runs now was told that it holds its target."""
        self._checked[self._scheduler.current()] = self._scheduler.monotonic

    def retired(self, mesh: SimMesh) -> Callable[[TargetId, VersionRef], None]:
        """What looks at the versions of this mesh that are stopped."""

        def look(target: TargetId, version: VersionRef) -> None:
            checked = self._checked.get(self._scheduler.current(), self._scheduler.monotonic)
            if self._scheduler.monotonic - checked > LEASE:
                return  # it stood still after its check: no check helps against that, and the version is started again
            if self._edited.get(target, 0) > checked - MOMENT:
                return  # somebody edited the route between our look at it and this
            backend = Backend(target.partition("@")[0], version)
            gone = {backend.lane(lane) for lane in Lane}
            stored = mesh.stored(target)
            entries = [(name, entry) for name, entry, _ in mesh.running() if entry.route.target == target]
            for name, entry in [*entries, *([("the mesh", stored)] if stored else [])]:
                if gone & destinations(entry.route):
                    self._broken.say("retire", f"{version.version} of {target} is stopped while {name} sends to it")

        return look

    def written(self, entry: Entry, stamp: Stamp, running: Iterable[tuple[str, Entry]]) -> None:
        """What holds of a write of ours, also where it is looked at afterwards; `running`: what proxies ran then."""
        target = entry.route.target
        if stamp.epoch < self._epochs.get(target, 0):
            self._broken.say(9, f"{target}: epoch {stamp.epoch} after {self._epochs[target]}")
        self._epochs[target] = max(stamp.epoch, self._epochs.get(target, 0))
        self._unsure.discard(target)
        events = self._ghost.events.get(stamp.release, [])
        self._authorised(entry, stamp, events)
        self._stays_back(entry, stamp, events)
        if _reaches(entry.route.traffic) and (self._is_stored(stamp) or not self._ghost.lossy):
            self._predecessor_is_gone(target, stamp.release, running)

    def _ours(self, mesh: SimMesh, entry: Entry, stamp: Stamp) -> None:
        self.written(entry, stamp, [(name, running) for name, running, _ in mesh.running()])
        if _reaches(entry.route.traffic):
            self._is_not_over(entry, stamp)
        self._is_served(mesh, entry)
        self._homes.entered(mesh, entry, stamp)
        self._copies.stored(mesh, entry, stamp)

    def _authorised(self, entry: Entry, stamp: Stamp, events: list[Event]) -> None:
        """5: nothing is exposed that the stages which passed (or a person skipped) do not authorise."""
        traffic, target = entry.route.traffic, entry.route.target
        if not self._is_stored(stamp):
            if _reaches(traffic) and not self._ghost.lossy:  # a write past its check when commits were lost may land
                self._broken.say(5, f"{target}: {traffic} is written for an event that is not stored")
            return
        release = self._ghost.states[stamp.release][stamp.dseq - 1]
        if raises(desired(release), traffic):
            self._broken.say(5, f"{target}: {traffic} is written where {desired(release)} is authorised")
        self._in_order(release, events[: stamp.dseq])

    def _is_stored(self, stamp: Stamp) -> bool:
        """Whether what the write was decided by is in the database; another event may have its number by now."""
        heads = self._ghost.heads.get(stamp.release, [])
        return 0 < stamp.dseq <= stamp.seq <= len(heads) and heads[stamp.seq - 1] == stamp.head

    def _in_order(self, release: Release, events: list[Event]) -> None:
        """4: every stage before was passed, or skipped by a person."""
        decided = events[-1]
        done = {event.stage for event in events if isinstance(event, StagePassed | StageSkipped)}
        first = release.bound is not None and release.bound.stable is None
        if isinstance(decided, StageEntered) and not set(range(decided.stage)) <= done:
            self._broken.say(4, f"{release.id}: stage {decided.stage} entered, passed {sorted(done)}")
        if isinstance(decided, PromotionBegun) and not first and not set(range(len(release.plan.stages))) <= done:
            self._broken.say(4, f"{release.id}: promoted, passed {sorted(done)} of {len(release.plan.stages)}")

    def _stays_back(self, entry: Entry, stamp: Stamp, events: list[Event]) -> None:
        """6: after the first accepted revert write nothing rises again in that release.

        Where the revert itself was lost with the database, a person may decide so.
        """
        decided = events[stamp.dseq - 1] if 0 < stamp.dseq <= len(events) else None
        if isinstance(decided, RollbackBegun) and not decided.stay:
            self._reverted[stamp.release] = entry.route.target
        elif stamp.release in self._reverted and _reaches(entry.route.traffic):
            if self._ghost.lossy and any(map(_goes_on, events)):
                del self._reverted[stamp.release]
                return
            self._broken.say(6, f"{stamp.release}: {entry.route.traffic} after its revert was written")

    def _is_not_over(self, entry: Entry, stamp: Stamp) -> None:
        """7: what ended otherwise than promoted gets nothing any more, however late a write arrives."""
        release = self._ghost.releases.get(stamp.release)
        ended = release is not None and release.phase.closed and release.phase is not Phase.PROMOTED
        if ended and not self._ghost.lossy:
            self._broken.say(7, f"{stamp.release} is over, and {entry.route.traffic} is written for it")

    def _is_served(self, mesh: SimMesh, entry: Entry) -> None:
        """No request is lost by a switch: whoever takes a route knows where to send requests."""
        for name, proxy in mesh.proxies.items():
            unknown = destinations(entry.route) - proxy.backends.keys() - {at_home(entry.route)}
            if proxy.mood is Mood.TAKING and unknown:
                self._broken.say("lost requests", f"{name} takes a route to {sorted(unknown)}, which it does not know")

    def _predecessor_is_gone(self, target: TargetId, release: ReleaseId, others: Iterable[tuple[str, Entry]]) -> None:
        """17: a candidate that was superseded is at 0 on every proxy before its successor rises above 0.

        A person may decide otherwise: without proxies that do not answer, or over a route of lost history.
        """
        if any(map(_goes_on, self._ghost.events.get(release, []))):
            return
        for name, running in others:
            stamp = running.stamp
            if running.route.target != target or stamp is None or stamp.release == release:
                continue
            before = self._ghost.releases.get(stamp.release)
            accepted = before is not None and before.level is Level.WRITTEN  # a person went on without this proxy
            if before is None or before.phase is Phase.PROMOTED or accepted or _content(running) in self._edits:
                continue
            if _reaches(running.route.traffic):
                self._broken.say(17, f"{release} rises while {name} runs {running.route.traffic} of {before.id}")


def _content(entry: Entry) -> Content:
    return entry.route.target, entry.stamp, entry.route.traffic


def _reaches(traffic: Traffic) -> bool:
    return traffic.exposes or traffic.mirror is not None


def _goes_on(event: Event) -> bool:
    return isinstance(event, HoldLifted) and event.kind is HoldKind.HISTORY_LOST and event.by is not None
