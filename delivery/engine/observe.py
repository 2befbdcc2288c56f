"""The observer of a cluster: one worker at a time looks at every route and wakes the targets whose route changed.

It decides nothing. A woken target's next turn compares the route with what we wrote last, through the fence.
"""

from collections.abc import Mapping

from delivery.engine.cluster import Cluster
from delivery.engine.parts import Parts
from delivery.model.ids import SECOND, Micros, TargetId
from delivery.ports.errors import Unavailable
from delivery.ports.mesh import Seen
from delivery.ports.rows import Unit, Wake

LEASE = Micros(5 * SECOND)
EVERY = SECOND


class Observer:
    def __init__(self, parts: Parts, owner: str) -> None:
        self._ledger = parts.ledger
        self._clusters = parts.clusters
        self._clock = parts.clock
        self._telemetry = parts.telemetry
        self._owner = owner
        self._seen: dict[str, Mapping[TargetId, Seen]] = {}
        self._next = 0.0

    def run(self) -> int:
        """Looks at each cluster that is ours to observe, at most once a second; how many targets were woken."""
        now = self._clock.monotonic()
        if now < self._next:
            return 0
        self._next = now + EVERY / SECOND
        return sum(self._look(name, cluster) for name, cluster in self._clusters.items())

    def forget(self) -> None:
        """The database may have lost what routes were last compared with: the next look wakes every target."""
        self._seen.clear()

    def _look(self, name: str, cluster: Cluster) -> int:
        if not self._ledger.lease(f"observer:{name}", self._owner, LEASE):
            self._seen.pop(name, None)
            return 0
        try:
            observed = cluster.mesh.observe()
        except Unavailable as error:
            self._telemetry.log("mesh_unavailable", cluster=name, error=str(error))
            return 0
        except Exception as error:  # a fault of ours keeps nobody's drain away
            self._telemetry.log("fault", cluster=name, error=repr(error))
            return 0
        changed = _changed(self._seen.get(name, {}), observed)
        if changed:
            wake = Wake(self._clock.now(), "the route changed", sooner=True)
            self._ledger.commit([Unit(target=target, wake=wake) for target in sorted(changed)])
        self._seen[name] = observed  # only now: what nobody was woken for is seen again
        return len(changed)


def _changed(before: Mapping[TargetId, Seen], now: Mapping[TargetId, Seen]) -> set[TargetId]:
    """Nobody where it is the very same answer: a mesh gives it where it knows that nothing changed."""
    if now is before:
        return set()
    return {target for target in {*now, *before} if now.get(target) != before.get(target)}
