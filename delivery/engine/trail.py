"""What a turn did, for the traces that its releases came by. Gathered on the way, told when the turn is over.

A turn that changed nothing is not told: most find that it is not time yet, or what the last one found. So a trace is
about as long as the release's history, however long the release takes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from delivery.engine.task import Done, Task
from delivery.engine.traced import Times, about, call, context, look, moment
from delivery.machine.change import Move
from delivery.model.effect import Effect
from delivery.model.ids import Micros, ReleaseId
from delivery.model.release import Release
from delivery.model.signal import HistoryLost, Measured, MeshDown, Nacked, Signal, WorkloadFailing
from delivery.ports.telemetry import Kind, Moment, Work

TROUBLE = HistoryLost | MeshDown | Nacked | WorkloadFailing


@dataclass(slots=True)
class _Told:
    """Of one release. `release` is as it was last; `matters`: something has changed, so that it is worth telling."""

    release: Release
    moments: list[Moment] = field(default_factory=list)
    parts: list[Work] = field(default_factory=list)
    matters: bool = False


class Trail:
    """Of one turn, begun at this time. What was decided counts once it is stored."""

    def __init__(self, begun: Micros) -> None:
        self._begun = self._ended = begun
        self._decided: list[tuple[Move, Micros]] = []
        self._told: dict[ReleaseId, _Told] = {}
        self._asked: dict[Effect, Micros] = {}

    def decided(self, moves: Sequence[Move], now: Micros) -> None:
        self._decided += [(move, now) for move in moves]

    def dropped(self) -> None:
        """What was decided since the last commit is not going to be stored."""
        self._decided.clear()

    def stored(self, now: Micros) -> None:
        for move, at in self._decided:
            told = self._of(move.after)
            told.release, told.matters = move.after, True
            told.moments.append(moment(move, at))
        self._decided.clear()
        self._ended = now

    def performed(self, task: Task, result: Done | Exception, outcome: str, now: Micros) -> None:
        """A call that has changed something, or says something. Of one that is asked again: when it was asked first."""
        if task.release is None:
            return
        if isinstance(result, Exception):
            self._called(task.release, call(task.release, task.effect, outcome, (task.now, now), type(result).__name__))
            return
        wrote = result.row is not None and result.row.settled != task.row.settled
        begun, ended = result.times or (task.now, now)
        begun = self._asked.setdefault(task.effect, begun)
        outcome = "written" if wrote else "retired" if result.retired else outcome
        if outcome == "done":
            return
        trouble = outcome if any(isinstance(one, TROUBLE) for one in result.signals) else ""
        part = call(task.release, task.effect, outcome, (begun, ended), trouble)
        self._called(task.release, part, matters=wrote or result.retired or result.lost)

    def looked(self, release: Release, effect: Effect, told: Sequence[Signal], times: Times) -> None:
        """The gates had a look: worth telling if it led to something."""
        for measured in told:
            if isinstance(measured, Measured):
                self._called(release, look(release, effect, measured, times), matters=False)

    def works(self) -> Iterator[tuple[str, Work]]:
        """What is worth telling, each with the trace that it belongs to."""
        for told in self._told.values():
            within, release = context(told.release), told.release
            if told.matters and within:
                facts = about(release) | {"delivery.outcome": release.phase.value}
                work = Work("process release", Kind.TAKES_UP, self._begun, self._ended, facts)
                yield within, replace(work, moments=tuple(told.moments), parts=tuple(told.parts))

    def _called(self, release: Release, part: Work, *, matters: bool = True) -> None:
        told = self._of(release)
        told.matters = told.matters or matters
        told.parts.append(part)
        self._ended = max(self._ended, part.ended)

    def _of(self, release: Release) -> _Told:
        return self._told.setdefault(release.id, _Told(release))
