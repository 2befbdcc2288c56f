"""Everything that looks on while a schedule runs, and says which invariant of design/machine.md was broken."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from delivery.model.ids import Micros, TargetId
from delivery.ports.rows import Committed, Unit
from tests.simulation.watch.bounds import Bounds
from tests.simulation.watch.commits import Commits
from tests.simulation.watch.copies import Copies
from tests.simulation.watch.ghost import Broken, Ghost
from tests.simulation.watch.homes import Homes
from tests.simulation.watch.hooks import Hooks
from tests.simulation.watch.routes import Routes

if TYPE_CHECKING:
    from tests.simulation.world import World


class Watch:
    """`broken` has what was broken, in words."""

    def __init__(self, world: "World") -> None:
        self.broken = Broken()
        self.ghost = Ghost(world.scheduler, self.broken)
        self.hooks = Hooks(self.ghost, world, self.broken)
        self.copies = Copies(world, self.broken)
        self.commits = Commits(self.ghost, world, self.broken, self.hooks, self.copies)
        self.homes = Homes(self.ghost, world, self.broken)
        self.routes = Routes(self.ghost, world.scheduler, self.broken, self.homes, self.copies)
        self.bounds = Bounds(self.ghost, world, self.broken, self.copies)
        for cluster, mesh in world.meshes.items():
            mesh.watch = self.routes.stored
            workloads = world.workloads[cluster]
            workloads.watch = self.routes.retired(mesh)
            workloads.watch_home = self.homes.promoted
            world.hooks[cluster].watch = self.hooks.begins
        world.ledger = self.over(world.ledger)

    def over(self, ledger: Any) -> "Watched":
        """The ledger, looked at."""
        return Watched(ledger, self)

    def lost(self, ledger: Any) -> None:
        """The database lost commits: what it says now is what there is."""
        self.ghost.lossy = True
        self.ghost.resync(ledger)
        self.routes.lost()


class Watched:
    """A ledger whose commits and checks are looked at as they happen."""

    down = False

    def __init__(self, ledger: Any, watch: Watch) -> None:
        self._ledger, self._watch = ledger, watch

    def __getattr__(self, name: str) -> Any:
        found = self.__dict__[name] = getattr(self._ledger, name)
        return found

    def commit(self, units: Sequence[Unit]) -> tuple[Committed, ...]:
        results: tuple[Committed, ...] = self._ledger.commit(units)
        for unit, result in zip(units, results, strict=True):
            self._watch.commits.saw(unit, result)
        return results

    def claim(self, clusters: Sequence[str], owner: str, lease: Micros, limit: int) -> tuple[TargetId, ...]:
        self._watch.bounds.claims(owner)
        found: tuple[TargetId, ...] = self._ledger.claim(clusters, owner, lease, limit)
        return found

    def holds(self, target: TargetId, owner: str, version: int) -> bool:
        found: bool = self._ledger.holds(target, owner, version)
        if found:
            self._watch.routes.checked()
            self._watch.homes.checked(target)
            self._watch.hooks.checked(target)
        return found
