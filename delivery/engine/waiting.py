"""Turns whose calls take long, set aside: whatever is due beside them is done meanwhile, a revert above all."""

from collections.abc import Collection
from dataclasses import dataclass, field

from delivery.engine.round import Errand
from delivery.engine.turn import BATCH, Turn
from delivery.model.effect import Effect
from delivery.model.ids import SECOND, Micros, TargetId
from delivery.ports.clock import Clock


@dataclass(slots=True)
class Crowd:
    """Calls of the same system that take long. `room`: for how many more; `longest`: seconds that one has taken."""

    room: int = BATCH
    longest: float = 0.0


@dataclass(frozen=True, slots=True)
class Room:
    """Whom there is room to ask. A system that takes long is asked for a batch at a time, as one that does not."""

    crowds: dict[str, Crowd] = field(default_factory=dict)

    def has(self, key: str, turn: Turn, effect: Effect) -> bool:
        """Whether the turn may ask now; else it does so later. A revert always may.

        Later is half as long again as others have waited: soon where that was short, and seldom where it was long.
        """
        crowd = self.crowds.get(key)
        if crowd is None or turn.urgent:
            return True
        if crowd.room <= 0:
            turn.put_off(effect, Micros(int(crowd.longest * SECOND / 2)))
            return False
        crowd.room -= 1
        return True


class Waiting:
    """The claims of those who are set aside stay ours, so that nobody asks the same again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._errands: dict[TargetId, Errand] = {}

    def add(self, errand: Errand) -> None:
        self._errands[errand.turn.working.target.id] = errand

    def back(self, cluster: str) -> list[Errand]:
        """Takes out those of the cluster for which something has come back, or whose time is up."""
        now = self._clock.monotonic()
        found = [one for one in self.of(cluster) if one.told or now >= one.turn.until]
        self.drop([one.turn.working.target.id for one in found])
        return found

    def drop(self, targets: Collection[TargetId]) -> None:
        for target in targets:
            self._errands.pop(target, None)

    def clear(self) -> None:
        self._errands.clear()

    def of(self, cluster: str) -> list[Errand]:
        return [one for one in self._errands.values() if one.turn.cluster.name == cluster]

    def room(self, cluster: str) -> Room:
        room, now = Room(), self._clock.monotonic()
        for errand in self.of(cluster):
            for key in errand.awaited():
                crowd = room.crowds.setdefault(key, Crowd())
                crowd.room -= 1
                crowd.longest = max(crowd.longest, now - errand.begun)
        return room
