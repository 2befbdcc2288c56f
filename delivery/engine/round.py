"""What turns have asked for together and do not know yet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from delivery.engine.task import Done, Task
from delivery.engine.turn import Turn
from delivery.model.effect import Measure
from delivery.model.ids import Micros
from delivery.ports.metrics import Sample, Subject, Unread
from delivery.ports.slots import Call

Answers = Mapping[Subject, Sample | Unread]


@dataclass(slots=True)
class Look:
    """One call for the counters of many turns, made at the time `asked`. `answers`: what it brought, once read."""

    cluster: str
    key: str
    subjects: Sequence[Subject]
    call: Call[Answers]
    asked: Micros
    answers: Answers | None = None
    late: bool = False  # somebody has not waited for it any longer


@dataclass(frozen=True, slots=True)
class Part:
    """A turn's part in a look: the sides that are compared."""

    effect: Measure
    sides: tuple[Subject | None, ...]
    look: Look


@dataclass(slots=True)
class Errand:
    """A turn's calls of one round, each with whom it asks. `begun` by the monotonic clock."""

    turn: Turn
    begun: float
    calls: list[tuple[str, Task, Call[Done]]] = field(default_factory=list)
    part: Part | None = None

    @property
    def over(self) -> bool:
        return next(self.awaited(), None) is None

    @property
    def told(self) -> bool:
        """Whether something has come back that was not taken yet."""
        looked = self.part is not None and self.part.look.call.over
        return looked or any(call.over for _, _, call in self.calls)

    def taken(self, *, all_: bool) -> list[tuple[Task, Done | Exception]]:
        """Takes out what has come back; with `all_` the rest too, which is not waited for any longer."""
        found: list[tuple[Task, Done | Exception]] = []
        left: list[tuple[str, Task, Call[Done]]] = []
        for asked in self.calls:
            if all_ or asked[2].over:
                found.append((asked[1], asked[2].result()))
            else:
                left.append(asked)
        self.calls = left
        return found

    def awaited(self) -> Iterator[str]:
        """Whom it still waits for."""
        for key, _, call in self.calls:
            if not call.over:
                yield key
        if self.part is not None and not self.part.look.call.over:
            yield self.part.look.key
