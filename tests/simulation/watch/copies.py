"""Looks at copies of stable: what they get, whom they keep waiting, and that nothing is called good without one."""

from typing import TYPE_CHECKING

from delivery.adapters.mesh.memory import Entry
from delivery.model.event import Phase, StagePassed
from delivery.model.hold import HoldKind
from delivery.model.release import Release
from delivery.model.verdict import Baseline
from delivery.ports.mesh import Stamp
from tests.simulation.parts import SimMesh
from tests.simulation.watch.ghost import Broken

if TYPE_CHECKING:
    from tests.simulation.world import World

BOUND = 10_000_000
"""A lease, and what is left to do after it."""


class Copies:
    """`compared` counts the stages that passed beside a copy."""

    def __init__(self, world: "World", broken: Broken) -> None:
        self._world, self._broken = world, broken
        self.compared = 0

    def stored(self, mesh: SimMesh, entry: Entry, stamp: Stamp) -> None:
        """A copy gets no more than it can carry, and belongs to the release that the route was written for."""
        route, percent = entry.route, entry.route.traffic.baseline
        if percent is None or route.copy is None:
            return
        if route.stable is None or route.copy.version != route.stable.version.copy_for(stamp.release):
            self._broken.say("copy", f"{route.target}: {route.copy.version.identity} gets {percent} %")
        if self._world.workloads[mesh.cluster].carries(route.target, route.copy.version) < percent:
            self._broken.say("copy", f"{route.target}: {percent} % go to a copy of less")

    def passed(self, before: Release, fact: StagePassed) -> None:
        """A stage that is meant to be compared with a copy passes beside one, or because a person went on without."""
        gates = (before.plan.gate(gate) for gate in before.plan.stages[fact.stage].gates)
        meant = any(gate.blocking and gate.baseline is Baseline.FRESH for gate in gates)
        if meant and not before.compared and HoldKind.BASELINE_UNREADY not in before.waived:
            self._broken.say("copy", f"{before.id}: stage {fact.stage} passes with nothing to compare with")
        self.compared += meant

    def look(self, now: int, releases: list[Release]) -> None:
        """One of which nobody answers loses its share, and a release that goes back has none."""
        for release in releases:
            mesh = self._world.mesh_of(release.target)
            stored = mesh.stored(release.target)
            if stored is None or stored.route.copy is None or stored.route.traffic.baseline is None:
                continue
            cluster = release.target.partition("@")[2]
            gone = self._world.workloads[cluster].gone.get(stored.route.copy.version.identity)
            since = max(gone or now, self._world.disturbed[cluster])
            rises = release.phase in (Phase.SHIFTING, Phase.BAKING)
            if rises and now - since > BOUND + self._world.clock.back:
                self._broken.say("copy", f"{release.id}: a copy that is gone still gets users")
