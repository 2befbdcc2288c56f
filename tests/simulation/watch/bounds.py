"""What must happen within a time, counted from the last thing that went wrong: reverts, and targets that are due."""

from typing import TYPE_CHECKING

from delivery.adapters.ledger.units import past
from delivery.engine.drain import LEASE
from delivery.model.event import Phase, RollbackBegun
from delivery.model.ids import Micros, TargetId
from delivery.model.release import Release
from delivery.ports.rows import Row
from tests.simulation.scheduler import Process
from tests.simulation.watch.copies import Copies
from tests.simulation.watch.ghost import Broken, Ghost

if TYPE_CHECKING:
    from tests.simulation.world import World

EVERY = 500_000
"""Between two looks of ours. A worker that has nothing to do looks more often."""
BOUND = 10_000_000
"""A lease, and what is left to do after it."""
AT_ONCE = 2_000_000
"""Of a revert that no lease is in the way of: whoever hangs meanwhile, it is not waited for."""
IN_VAIN = 15
"""How often a fault of ours may raise in a row, deaths of those who counted it included."""


class Bounds:
    """`checked` counts how often a bound was really tested: a revert or a due target while nothing went wrong."""

    def __init__(self, ghost: Ghost, world: "World", broken: Broken, copies: Copies) -> None:
        self._ghost, self._world, self._broken, self._copies = ghost, world, broken, copies
        self._due: dict[TargetId, tuple[int | None, int]] = {}
        self._in_hand: dict[TargetId, int] = {}
        self._leases: dict[TargetId, tuple[Micros, int]] = {}
        self._owners: dict[str, Process] = {}
        self.checked = 0

    def body(self) -> None:
        """Looks again and again."""
        while True:
            self._world.scheduler.sleep(EVERY)
            self.look()

    def look(self) -> None:
        world = self._world
        now, wall = world.scheduler.monotonic, world.clock.now()
        lives = any(map(self._lives, world.workers.values()))
        for cluster, mesh in world.meshes.items():
            if mesh.down or world.hampered[cluster] or not lives:
                world.disturb(cluster)
        for row in world.ledger.rows():
            self._revert(row, now)
            self._late(row, now, wall)
            self._in_vain(row)
        self._copies.look(now, self._ghost.running())

    def claims(self, owner: str) -> None:
        """Whoever runs now claims under this name."""
        if (actor := self._world.scheduler.current()) is not None:
            self._owners[owner] = actor.process

    def _lives(self, process: Process) -> bool:
        return not process.dead and process.hangs_until <= self._world.scheduler.monotonic

    def _revert(self, row: Row, now: int) -> None:
        """7: aborted or failed means candidate 0 within 10 s of the mesh being reachable, and else at once."""
        target = row.target.id
        release = self._ghost.releases.get(row.target.active) if row.target.active else None
        if release is None or release.phase is not Phase.ROLLING_BACK or release.stay:
            return
        mesh = self._world.mesh_of(target)
        stored = mesh.stored(target)
        if stored is None or not (stored.route.traffic.exposes or stored.route.traffic.mirror):
            return
        begun, disturbed = self._begun(release), self._world.disturbed[row.target.cluster]
        late = max(now - max(begun, disturbed) - BOUND, now - max(begun, disturbed + LEASE) - AT_ONCE)
        self.checked += 1
        if late > self._world.clock.back:
            self._broken.say(7, f"{release.id} began to go back {(now - begun) / 1e6:.0f} s ago and is not at 0")

    def _began(self, row: Row, now: int) -> int:
        """When the lease was given, as far as looks tell."""
        lease, began = self._leases.get(row.target.id, (None, 0))
        if lease != row.lease_until:
            began = now - EVERY
            self._leases[row.target.id] = (row.lease_until, began)
        return began

    def _in_vain(self, row: Row) -> None:
        """2: what fails by a fault of ours is not tried for ever: it is taken out of service, and people are told."""
        raised = self._world.workloads[row.target.cluster].faulty.get(row.target.id, 0)
        if raised > IN_VAIN and row.quarantined is None:
            self._broken.say(2, f"{row.target.id} is tried for the {raised}th time, and nobody is told why it fails")

    def _begun(self, release: Release) -> int:
        events = self._ghost.events[release.id]
        seq = max(number for number, event in enumerate(events, 1) if isinstance(event, RollbackBegun))
        return self._ghost.times.get((release.id, seq), 0)

    def _late(self, row: Row, now: int, wall: int) -> None:
        """15, 2: a due target is looked at, whatever happens to other clusters and to whoever had claimed it.

        The lease has to run out of one that died, or that the database failed so that it lost what it had claimed, and
        whoever is next may wait for what does not answer. From then on it is being looked at, and that must not outlast
        a lease: others would begin again.
        """
        world, target, began = self._world, row.target.id, self._began(row, now)
        waits = row.due_at is not None and past(row.due_at, Micros(wall))
        if not waits or self._due.get(target, (None, 0))[0] != row.due_at:
            self._due[target] = (row.due_at if waits else None, now)
            self._in_hand.pop(target, None)
            return
        owner = self._owners.get(row.owner)
        if owner is not None and self._lives(owner) and owner.failed < began:
            since, bound = self._in_hand.setdefault(target, now), LEASE + EVERY
        else:
            self._in_hand.pop(target, None)
            since, bound = self._due[target][1], LEASE + world.timeout[1] + 2 * EVERY
        since = max(since, world.disturbed[row.target.cluster])
        self.checked += 1
        if now - since > bound + world.clock.back:
            self._broken.say(15, f"{target} has been due for {(now - since) / 1e6:.0f} s: {row.due_why}")
