"""Looks at what we do to owners' own workloads, and at routes that lead there."""

from typing import TYPE_CHECKING

from delivery.adapters.mesh.memory import Entry
from delivery.model.event import HomeEntered, Phase
from delivery.model.ids import TargetId
from delivery.model.release import Release
from delivery.model.version import VersionRef
from delivery.ports.mesh import Stamp
from tests.simulation.parts import SimMesh
from tests.simulation.scheduler import Actor
from tests.simulation.watch.ghost import Broken, Ghost

if TYPE_CHECKING:
    from tests.simulation.world import World


class Homes:
    """`promotions` counts what we had owners run."""

    def __init__(self, ghost: Ghost, world: "World", broken: Broken) -> None:
        self._ghost, self._world, self._broken = ghost, world, broken
        self._checked: dict[Actor | None, Release | None] = {}
        self.promotions = 0

    def checked(self, target: TargetId) -> None:
        """Whoever runs now was told that it holds this target: what it decides by is what is stored now."""
        row = self._ghost.rows.get(target)
        active = row.target.active if row is not None else None
        self._checked[self._world.scheduler.current()] = self._ghost.releases.get(active) if active else None

    def promoted(self, target: TargetId, version: VersionRef) -> None:
        """The owners' own workload is about to run a version by our hand: that was decided, stored and looked up."""
        self.promotions += 1
        release = self._checked.pop(self._world.scheduler.current(), None)
        if release is None or release.target != target or release.bound is None:
            self._broken.say("home", f"{target} is to run {version.version} at home, and nobody asked who holds it")
            return
        going = release.phase is Phase.PROMOTING and release.confirmed == release.dseq and version == release.candidate
        back = release.phase is Phase.ROLLING_BACK and version == release.bound.stable
        now = self._ghost.releases.get(release.id, release)
        if now.phase.closed and not self._ghost.lossy:
            self._broken.say("home", f"{target} is to run {version.version} at home, and {release.id} is over")
        if release.home is None or not (going or back):
            self._broken.say("home", f"{target} is to run {version.version} at home, {release.id} is {release.phase}")

    def entered(self, mesh: SimMesh, entry: Entry, stamp: Stamp) -> None:
        """A route leads home with a release only where home runs its candidate; a copy gets what it can carry."""
        route, release = entry.route, self._ghost.releases.get(stamp.release)
        events = self._ghost.events.get(stamp.release, [])
        if release is None or release.plan.home is None or release.phase.closed or stamp.dseq > len(events):
            return
        workloads = self._world.workloads[mesh.cluster]
        own = workloads.homes.get(route.target)
        decided = events[stamp.dseq - 1] if stamp.dseq else None
        entered = isinstance(decided, HomeEntered) and release.phase is Phase.PROMOTING
        if entered and own is not None and own.ours and not workloads.at_home(route.target, release.candidate):
            self._broken.say("home", f"{route.target} goes home to {own.version.version}, which is not all there")
        if route.candidate is not None and workloads.carries(route.target, release.candidate) < route.traffic.weight:
            self._broken.say("capacity", f"{route.target}: {route.traffic.weight} % go to a copy of less")
